"""The optax transformations on convolution kernels: the reference's numbers, and the constants of method 2."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_convnet import (
    CLASSES,
    GAIN,
    PADDING,
    convolve,
    cross_entropy,
    mean_square,
    network,
    parameters,
    samples,
    square_loss,
)

import normbench.jax
import normbench.reference.method2
from normbench.reference.spheres import exponential_map, radii
from tests.oracle import reference_step

pytestmark = pytest.mark.usefixtures("float64")

STEPS = 25
TIGHT = 1e-12
LINE_SEARCH = 1e-9  # relative to tau, see normbench/jax/updates/method2.py


UPDATES = {
    "agd": {},
    "method2": {},
    "method2_exp": {},
    "fromage": {"learning_rate": 0.05, "p_bound": 1.0},
    "lars": {"learning_rate": 0.01},
}


GRADIENTS = {loss: jax.jit(jax.grad(loss)) for loss in (square_loss, cross_entropy)}


def leaves(params):
    return tuple(np.asarray(leaf) for leaf in jax.tree.leaves(params))


@cache
def compiled(key, **options):
    """The two functions of a transformation, shared by all that ask for the same one."""
    return optax.GradientTransformation(*map(jax.jit, getattr(normbench.jax, key)(**options)))


def descend(optimizer, params, gradient_of, steps):
    """Yield the gradient, the parameters before and those after every step."""
    state = optimizer.init(params)
    for _ in range(steps):
        gradient = gradient_of(params)
        updates, state = optimizer.update(gradient, state, params)
        new = {name: np.asarray(params[name]) + np.asarray(updates[name]) for name in params}
        yield gradient, params, new
        params = new


@pytest.mark.parametrize("key", UPDATES)
@pytest.mark.parametrize("loss", GRADIENTS, ids=["square", "cross-entropy"])
def test_every_step_on_a_convolutional_network_is_the_references(key, loss):
    hyper = UPDATES[key]
    batch, start = samples(0), parameters(0)
    majorising = key.startswith("method2")
    constants = {"mean_square_input": mean_square(batch[0]), "curvature": 0.8, "gain": GAIN} if majorising else {}
    Q = 0.8 * GAIN**2 * mean_square(batch[0])
    optimizer, gradient_of = compiled(key, **hyper, **constants), GRADIENTS[loss]
    moved = 0.0
    for gradient, before, after in descend(optimizer, start, lambda p: gradient_of(p, batch), STEPS):
        expected, _ = reference_step(key, leaves(gradient), leaves(before), start=leaves(start), Q=Q, **hyper)
        for new, old, wanted in zip(leaves(after), leaves(before), expected, strict=True):
            step = np.linalg.norm(wanted - old)
            tolerance = TIGHT * np.linalg.norm(wanted) + LINE_SEARCH * step * (key == "method2")
            assert np.linalg.norm(new - wanted) <= tolerance
            moved = max(moved, step)
    assert moved > 1e-4


def test_a_position_of_a_kernel_without_a_gradient_rests_under_agd():
    weights = parameters(1)
    gradient = {name: np.ones_like(w) for name, w in weights.items()}
    gradient["first"][:, :, 1, 0] = 0.0
    ((_, before, after),) = descend(compiled("agd"), weights, lambda params: gradient, 1)
    still = (np.asarray(before["first"]) == after["first"]).all(axis=(0, 1))
    assert still.tolist() == [[False, False], [True, False], [False, False]]
    expected, _ = reference_step("agd", leaves(gradient), leaves(before))
    for new, wanted in zip(leaves(after), expected, strict=True):
        np.testing.assert_allclose(new, wanted, rtol=TIGHT)


@pytest.mark.parametrize("key", ["method2", "method2_exp", "agd"])
def test_kernels_of_other_dimensions_are_kernels_too_and_count_with_the_roots_of_their_areas(key):
    rng, shapes = np.random.default_rng(3), {"line": (4, 2, 3), "matrix": (2, 4), "solid": (3, 2, 2, 2, 2)}
    weights, gradient = ({name: rng.normal(size=s) for name, s in shapes.items()} for _ in range(2))
    ((_, _, after),) = descend(compiled(key), weights, lambda p: gradient, 1)
    expected, _ = reference_step(key, leaves(gradient), leaves(weights), Q=3 * 8, **UPDATES[key])
    for new, wanted in zip(leaves(after), expected, strict=True):
        np.testing.assert_allclose(new, wanted, rtol=1e-11)


@pytest.mark.parametrize(("stride", "overlap"), [((1, 1), 6), ((2, 1), 4), ((2, 2), 2), ((3, 2), 1)], ids=str)
def test_a_convolution_is_bounded_by_its_unfolded_kernel_and_the_overlap(stride, overlap):
    rng = np.random.default_rng([*stride, 7])
    basis = np.eye(2 * 7 * 6).reshape(-1, 2, 7, 6)
    for _ in range(5):
        kernel = rng.normal(size=(4, 2, 3, 2))
        norm = np.linalg.norm(np.asarray(convolve(basis, kernel, stride, PADDING)).reshape(len(basis), -1), 2)
        assert norm <= math.sqrt(overlap) * np.linalg.norm(kernel.reshape(4, -1), 2) * (1 + 1e-12)


@jax.jit
def bregman(outputs, change, y):
    """Mean over samples by which cross-entropy exceeds its linearisation in the outputs."""

    def loss(f):
        return jnp.mean(jax.nn.logsumexp(f, axis=1) - f[jnp.arange(len(f)), jnp.argmax(y, axis=1)])

    value, slope = jax.value_and_grad(loss)(outputs)
    return loss(outputs + change) - value - jnp.vdot(slope, change)


def gap(seed, curvature):
    """Majorant of corollary 2 minus what it bounds, relative to it, along one random curve."""
    rng = np.random.default_rng([seed, 33])
    params, (x, y) = parameters(seed), samples(seed)
    scale = rng.choice([1.0, 5.0])
    params = {name: scale * w for name, w in params.items()}
    weights = leaves(params)
    mu = radii(weights)
    t = rng.uniform(0.01, 1.5)
    V = []
    for w, r in zip(weights, mu, strict=True):
        v = rng.normal(size=w.shape)
        v -= np.vdot(v, w) * w / r**2
        V.append(v / np.linalg.norm(v))
    moved = [exponential_map(w, r * v, t, radius=r) for w, v, r in zip(weights, V, mu, strict=True)]
    outputs = network(params, x)
    change = network(jax.tree.unflatten(jax.tree.structure(params), list(map(jnp.asarray, moved))), x) - outputs
    Q = curvature * GAIN**2 * mean_square(x)
    unfolded = tuple(w.reshape(len(w), -1) for w in weights)
    velocity = tuple((r * v).reshape(len(v), -1) for v, r in zip(V, mu, strict=True))
    bound = normbench.reference.method2.Majorant(0.0, 0.0, Q, unfolded, velocity).value(t)
    return (bound - float(bregman(outputs, change, y))) / bound


def test_the_majorant_of_method2_bounds_cross_entropy_on_convolutions():
    assert min(gap(seed, 1.0) for seed in range(25)) > 0
    assert min(gap(seed, 1e-6) for seed in range(25)) < 0  # the bound is loose, but the check can fail


@pytest.mark.parametrize(("curvature", "holds"), [(1.0, True), (0.49, False)])
def test_curvature_1_bounds_cross_entropy_sample_by_sample(curvature, holds):
    rng = np.random.default_rng(8)
    excess = []
    for _ in range(300):
        outputs, direction, y = rng.normal(size=(3, 1, CLASSES))
        if rng.random() < 0.5:  # where the bound is sharpest: two classes, equally likely, drift apart
            outputs, direction = np.array([[0.0, 0.0, -30.0]]), np.array([[1.0, -1.0, 0.0]])
        change = direction * 10 ** rng.uniform(-2, 1)
        excess.append(float(bregman(outputs, change, y)) - curvature * np.square(change).sum() / 2)
    assert (max(excess) <= 1e-12) == holds
