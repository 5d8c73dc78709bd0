"""Parametrisations of torch and JAX against the reference; their runs are in test_perceptrons.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.jax.benchmark.perceptron import Objective as JaxObjective
from normbench.jax.benchmark.perceptron import tiles
from normbench.jax.updates import geodesic_lbfgs as jax_lbfgs
from normbench.jax.updates import parametrisations as jax_parametrisations
from normbench.jax.updates import polar_average as jax_polar
from normbench.jax.updates.through import Through as JaxThrough
from normbench.networks import Loss
from normbench.problems.initial_variables import initial_variables
from normbench.reference import geodesic_lbfgs
from normbench.reference.network import Objective
from normbench.reference.parametrisations import chart
from normbench.specs import parametrisations
from normbench.specs.geodesic_lbfgs import GEODESIC_LBFGS
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.torch.benchmark.objective import NetworkObjective as TorchNetwork
from normbench.torch.benchmark.perceptron import Objective as TorchPerceptron
from normbench.torch.updates import geodesic_lbfgs as torch_lbfgs
from normbench.torch.updates import parametrisations as torch_parametrisations
from normbench.torch.updates import polar_average as torch_polar
from normbench.torch.updates.through import Through as TorchThrough
from tests.networks.examples import PLAIN, draw_inputs, draw_weights
from tests.reference.regression import Run

PAIRS = [(key, geometry) for key, declared in PARAMETRISATIONS.items() for geometry in declared.geometries]
# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
LAYERS = (6, 9, 4, 3)


def jax_objective(problem, spec, key, dtype):
    x, y = (jnp.asarray(tiles(a, 64), dtype) for a in (problem.x_train, problem.y_train))
    weight_of_sample = jnp.asarray(1.0 / (problem.loss_divisor * len(problem.x_train)), dtype)
    plain = JaxObjective(x, y, weight_of_sample, jnp.asarray(1.0, dtype))
    geometry = parametrisations.geometry(spec, PARAMETRISATIONS[key])
    weights = jax_parametrisations.weights_of(PARAMETRISATIONS[key], geometry, problem.network.weight_shapes)
    return JaxThrough(plain, weights, geometry)


def torch_objective(problem, spec, key, dtype):
    x, y = (torch.tensor(a.T, dtype=getattr(torch, dtype)).contiguous() for a in (problem.x_train, problem.y_train))
    plain = TorchPerceptron(x, y, [w.shape[0] for w in problem.weights], problem.loss_divisor)
    geometry = parametrisations.geometry(spec, PARAMETRISATIONS[key])
    found = torch_parametrisations.chart(PARAMETRISATIONS[key], geometry, problem.network.weight_shapes)
    return TorchThrough(plain, found, geometry)


def weights_of_jax(key, geometry, shapes, variables, cotangent):
    """Plain weights, and the gradient of the variables that belongs to one of theirs."""
    weights = jax_parametrisations.weights_of(PARAMETRISATIONS[key], geometry, shapes)

    @jax.jit
    def found(variables, cotangent):
        plain, pull_back = jax.vjp(weights, variables)
        return plain, pull_back(cotangent)[0]

    with jax.enable_x64(True):
        return found(variables, cotangent)


def weights_of_torch(key, geometry, shapes, variables, cotangent):
    """The same."""
    leaves = [torch.tensor(v, requires_grad=True) for v in variables]
    plain = torch_parametrisations.chart(PARAMETRISATIONS[key], geometry, shapes).weights(leaves)
    gradient = torch.autograd.grad(plain, leaves, [torch.tensor(c) for c in cotangent])
    return [w.detach() for w in plain], gradient


@pytest.mark.parametrize("of_backend", [weights_of_jax, weights_of_torch], ids=["jax", "torch"])
@pytest.mark.parametrize(("key", "geometry"), PAIRS)
@pytest.mark.parametrize("name", ["perceptron", "convolutional"])
def test_weights_and_gradients_are_those_of_the_reference(key, geometry, name, of_backend):
    if key == "sandwich" and name == "convolutional":
        pytest.skip("refused by the declaration")
    network, rng = PLAIN[name], np.random.default_rng(1)
    variables = initial_variables(PARAMETRISATIONS[key], geometry, draw_weights(network, rng))
    size = 1e-3 if key == "bjorck" else 0.3  # beyond it the steps have converged, and their number does not show
    variables = tuple(v + size * rng.normal(size=v.shape) for v in variables)
    found = chart(PARAMETRISATIONS[key], geometry, network.weight_shapes)
    cotangent = draw_weights(network, rng)
    plain, gradient = of_backend(key, geometry, network.weight_shapes, variables, cotangent)
    for ours, theirs in zip(plain, found.weights(variables), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    for ours, theirs in zip(gradient, found.pull_back(variables, cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", ["perceptron", "convolutional", "bent"])
def test_derivatives_along_any_curve_in_torch_are_those_of_the_reference(name, loss):
    network, rng = PLAIN[name], np.random.default_rng(2)
    x, y = draw_inputs(network, rng), np.abs(rng.normal(size=(6, *network.output_shape)))
    curve = [list(of_weight) for of_weight in zip(*(draw_weights(network, rng) for _ in range(3)), strict=True)]
    expected = Objective(network, x, y, loss, 1.7).series_derivatives(curve)
    objectives = [
        TorchNetwork(network, torch.tensor(x), torch.tensor(y), loss, 1.7, dtype=torch.float64, majorant_scale=1.0)
    ]
    if name == "perceptron" and loss is Loss.SQUARE:
        columns = (torch.tensor(a.T).contiguous() for a in (x, y))
        objectives.append(TorchPerceptron(*columns, [len(own[0]) for own in curve], 1.7))
    with torch.no_grad():
        for objective in objectives:
            point = objective.point([torch.tensor(own[0]) for own in curve])
            slope = objective.slope(point)
            tensors = [[torch.tensor(c) for c in own] for own in curve]
            assert objective.series_derivatives(point, slope, tensors) == pytest.approx(expected, rel=1e-10)


@torch.no_grad()
def test_torch_shows_what_is_not_finite_and_stops_where_there_is_no_gradient():
    run = Run(GEODESIC_LBFGS, geodesic_lbfgs.geodesic_lbfgs, PARAMETRISATIONS["ball"])
    objective = torch_objective(run.problem, GEODESIC_LBFGS, "ball", "float32")
    method = torch_lbfgs.geodesic_lbfgs(**GEODESIC_LBFGS.resolve({}))
    variables = [torch.tensor(P, dtype=torch.float32) for P in run.point.weights]
    for factor, size in ((torch.nan, torch.nan), (0.0, 0.0)):
        point = objective.point([P * factor for P in variables])
        step = method.step(objective, point, method.init(objective, variables))
        assert step.step_size == pytest.approx(size, nan_ok=True)
        assert float(step.point.loss) == pytest.approx(float(point.loss), nan_ok=True)


def test_jax_shows_what_is_not_finite_and_stops_where_there_is_no_gradient():
    run = Run(GEODESIC_LBFGS, geodesic_lbfgs.geodesic_lbfgs, PARAMETRISATIONS["ball"], layers=(6, 4, 3))
    objective = jax_objective(run.problem, GEODESIC_LBFGS, "ball", "float32")
    method = jax_lbfgs.geodesic_lbfgs(**GEODESIC_LBFGS.resolve({}))

    @jax.jit
    def step(variables):
        point = objective.point(variables)
        return method.step(objective, point, method.init(objective, variables))

    variables = tuple(np.float32(P) for P in run.point.weights)
    broken = step(tuple(P * np.float32(np.nan) for P in variables))
    assert np.isnan(broken.step_size)
    assert np.isnan(broken.point.loss)
    dead = step(tuple(0 * P for P in variables))
    assert float(dead.step_size) == 0
    assert int(dead.evaluations) == 0


def test_jax_renews_roots_now_and_then():
    from normbench.jax.updates.quasi_newton import Metric

    metric, found = Metric.empty((jnp.zeros((3, 1)),)), set()
    seen = jax.jit(lambda metric, G: metric.seen((G,), decay=0.9, damping=1e-3))
    for k in range(25):
        before, metric = metric.roots, seen(metric, jnp.full((3, 1), 1.0 + k))
        found |= {k} if not np.array_equal(before[0][0], metric.roots[0][0]) else set()
    assert found == {*range(11), 20}


def test_every_declared_geometry_has_weights_in_both_backends():
    assert set(jax_parametrisations._WEIGHTS) == set(torch_parametrisations._CHARTS) == set(PAIRS)


@pytest.mark.parametrize("shape", [(256, 784), (784, 256), (300, 300)], ids=str)
def test_polar_factors_of_wide_matrices_stay_in_the_ball_in_single_precision(shape):
    m = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    for polar in (lambda m: torch_polar.polar(torch.from_numpy(m)).numpy(), jax.jit(jax_polar.polar)):
        size = np.linalg.norm(np.asarray(polar(m), np.float64), 2)
        assert 1 - 1e-5 < size <= 1
