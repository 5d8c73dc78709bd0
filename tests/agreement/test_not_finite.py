"""What is not finite shows: the same layers and step sizes in the reference, torch and JAX, method by method.

A NaN or an infinity in a gradient makes the new weights of its layer not finite, and of a method that couples its
layers those of every layer that moves, with the step size. Nothing rests, raises or looks like a stall.
"""

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

from normbench import specs
from normbench.specs import Family, Geometry
from tests.agreement.conftest import problem_for

LAYERS = 3
STRUCK = 1
POINT = ("weights", "loss", "gradient")
QUASI_NEWTON = ("geodesic_lbfgs", "online_lbfgs")
COUPLED = ("method1", "method2", "method2_exp", "agd", *QUASI_NEWTON)
FAULTS = ("nan-gradient", "inf-gradient", "minus-inf-gradient", "nan-weight", "all-nan", "resting-and-nan")


def struck(key, fault):
    """Gradient and weights of a small network, with one entry that is not finite."""
    problem = problem_for(key)
    rng = np.random.default_rng(12)
    weights = [w.copy() for w in problem.weights]
    gradient = [rng.normal(size=w.shape) for w in weights]
    if fault == "nan-weight":
        weights[STRUCK][0, 1] = math.nan
    elif fault == "all-nan":
        gradient = [np.full_like(g, math.nan) for g in gradient]
    else:
        number = {"inf-gradient": math.inf, "minus-inf-gradient": -math.inf}.get(fault, math.nan)
        gradient[STRUCK][0, 1] = number
    if fault == "resting-and-nan":
        gradient[0] = np.zeros_like(gradient[0])
    # radii and bounds are those of finite weights; a library's optimiser moves the weights that it was made of
    weights = tuple(weights)
    return tuple(gradient), weights, problem.weights if specs.get(key).family is Family.AUTOMATIC else weights


class Fixed:
    """An objective with a gradient of ours, so that every method sees the same one, and a loss that NaN reaches."""

    loss_evaluations = gradient_evaluations = 0
    geometry = Geometry.STIEFEL

    def __init__(self, gradient, point, scale=1.0):
        self._gradient, self._point, self.majorant_scale = gradient, point, scale

    def gradient(self, weights):
        return self._gradient

    def loss(self, weights):
        return sum(0.0 * w.sum() for w in weights)

    def point(self, weights):
        return self._point(weights, self.loss(weights), self._gradient)

    def slope(self, point):
        return self._point(None, None, self._gradient)

    def curve_derivatives(self, *given):
        """Of the reference (weights, velocity, order), of JAX (point, velocity, ...), of torch (point, slope, ...)."""
        velocity = given[2] if len(given) == 5 else given[1]
        zero = self.loss(velocity)
        return [zero - 1.0, zero + 2.0]

    def series_derivatives(self, *given):
        """Of the reference and JAX (curve), of torch (point, slope, curve)."""
        zero = self.loss([coefficients[1] for coefficients in given[-1]])
        return [zero - 1.0, zero + 2.0]


def reference_step(key, gradient, weights, start):
    from normbench.reference.network import Point
    from normbench.reference.trainer import METHODS

    objective = Fixed(gradient, lambda weights, loss, gradient: Point(weights, loss))
    with np.errstate(invalid="ignore", over="ignore"):
        method = METHODS[key](**specs.get(key).resolve({})).as_method(lambda objective, point: gradient)
        result = method.step(objective, objective.point(weights), method.init(objective, start))
    return result.point.weights, result.step_size


def torch_step(key, gradient, weights, start):
    import torch

    from normbench.torch.benchmark.methods import method

    library = start is weights  # whose optimisers move in place what they were made of
    gradient, weights, start = ([torch.tensor(a) for a in arrays] for arrays in (gradient, weights, start))
    start = weights if library else start
    objective = Fixed(gradient, lambda *fields: SimpleNamespace(**dict(zip(POINT, fields, strict=True))))
    made = method(key, specs.get(key).resolve({}))
    result = made.step(objective, objective.point(weights), made.init(objective, start))
    return [w.detach().numpy() for w in result.point.weights], float(result.step_size)


@lru_cache
def jax_program(key):
    import jax
    import jax.numpy as jnp

    from normbench.jax.benchmark.methods import method
    from normbench.jax.updates.through import Point

    made = method(key, specs.get(key).resolve({}))

    @jax.jit
    def step(gradient, weights, start):
        objective = Fixed(gradient, Point, jnp.ones(()))
        result = made.step(objective, objective.point(weights), made.init(objective, start))
        return result.point.weights, jnp.asarray(result.step_size)

    return step


def jax_step(key, gradient, weights, start):
    import jax

    with jax.enable_x64(True):
        moved, step_size = jax_program(key)(gradient, weights, start)
        return [np.asarray(w) for w in moved], float(step_size)


STEPS = {"reference": reference_step, "torch": torch_step, "jax": jax_step}


def rests(key, fault, layer):
    """Whether a layer stays where it is; both geodesic L-BFGS have one step for all, and show it in all."""
    return fault == "resting-and-nan" and layer == 0 and key not in QUASI_NEWTON


def expected(key, fault):
    """Which layers are finite after the step, and whether the step size is."""
    everything = [k != STRUCK for k in range(LAYERS)]
    if fault == "all-nan":
        everything = [False] * LAYERS
    elif key in COUPLED:
        everything = [rests(key, fault, k) for k in range(LAYERS)]
    if key in ("agd", *QUASI_NEWTON) and fault == "nan-weight":  # made of gradients alone, or of its own lifts
        return [k != STRUCK for k in range(LAYERS)], True
    return everything, key not in COUPLED


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("key", specs.REFERENCED)
@pytest.mark.parametrize("backend", STEPS)
def test_what_is_not_finite_shows_in_its_layer_or_in_all_that_move(backend, key, fault):
    gradient, weights, start = struck(key, fault)
    moved, step_size = STEPS[backend](key, gradient, weights, start)
    layers, step = expected(key, fault)
    assert [bool(np.isfinite(w).all()) for w in moved] == layers
    assert math.isfinite(step_size) == step
    for k, (old, new) in enumerate(zip(weights, moved, strict=True)):
        unmoved = np.array_equal(old, new, equal_nan=True)
        if key != "geodesic_lbfgs" or fault != "nan-weight":  # which stays where no loss is below one of NaN
            assert unmoved == rests(key, fault, k), f"layer {k}"


@pytest.mark.quick
@pytest.mark.parametrize("zero", [(1,), (0, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("key", ["method1", "method2", "method2_exp"])
@pytest.mark.parametrize("backend", STEPS)
def test_layers_of_zeros_rest_and_the_others_move_as_without_them(backend, key, zero):
    rng = np.random.default_rng(21)
    shapes = [w.shape for w in problem_for(key).weights]  # as above, so that JAX has the program
    gradient, weights = (tuple(rng.normal(size=shape) / 2 for shape in shapes) for _ in range(2))
    weights = tuple(np.zeros_like(w) if k in zero else w for k, w in enumerate(weights))
    moved, tau = STEPS[backend](key, gradient, weights, weights)
    assert all(not moved[k].any() for k in zero)
    others = [k for k in range(len(shapes)) if k not in zero]
    if not others:
        assert tau == 0.0 or key == "method1"  # whose derivatives are fixed here
        return
    alone = tuple(weights[k] for k in others)
    expected, angle = STEPS["reference"](key, tuple(gradient[k] for k in others), alone, alone)
    assert tau == pytest.approx(angle, rel=1e-9)
    assert tau > 0.0
    for k, wanted in zip(others, expected, strict=True):
        np.testing.assert_allclose(moved[k], wanted, rtol=0, atol=1e-9)
