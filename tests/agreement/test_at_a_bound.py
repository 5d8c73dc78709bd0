"""Parametrisations and what moves on bounded sets: both backends against the reference, in float64 and in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.backends.method import implementations
from normbench.jax.benchmark.perceptron import Objective as JaxObjective
from normbench.jax.benchmark.perceptron import tiles
from normbench.jax.updates import parametrisations as jax_parametrisations
from normbench.jax.updates import polar_average as jax_polar
from normbench.jax.updates.through import Through as JaxThrough
from normbench.networks import Loss
from normbench.problems.initial_variables import initial_variables
from normbench.reference import geodesic_lbfgs
from normbench.reference.network import Objective
from normbench.reference.parametrisations import chart
from normbench.specs import SPECS, Geometry, parametrisations
from normbench.specs.geodesic_lbfgs import GEODESIC_LBFGS
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.specs.polar_average import POLAR_AVERAGE
from normbench.torch.benchmark.objective import NetworkObjective as TorchNetwork
from normbench.torch.benchmark.perceptron import Objective as TorchPerceptron
from normbench.torch.updates import geodesic_lbfgs as torch_lbfgs
from normbench.torch.updates import parametrisations as torch_parametrisations
from normbench.torch.updates import polar_average as torch_polar
from normbench.torch.updates.through import Through as TorchThrough
from tests.networks.examples import PLAIN, draw_inputs, draw_weights
from tests.reference.regression import Run

PAIRS = [(key, geometry) for key, declared in PARAMETRISATIONS.items() for geometry in declared.geometries]
RATES = {"scion": 0.03, "muon_cap": 0.03, "muonh": 0.03, "adamh": 0.03}  # at which runs go somewhere
OWN = [  # methods 1 and 2 are in test_perceptrons.py
    (spec, key)
    for spec in SPECS.values()
    if spec.runs_on("reference") and Geometry.FREE not in spec.geometries and not spec.key.startswith("method")
    for key in parametrisations.through(spec)
]
KEYS = sorted({spec.key for spec, _ in OWN})
REFERENCE, JAX, TORCH = (
    implementations(package, KEYS)
    for package in ("normbench.reference", "normbench.jax.updates", "normbench.torch.updates")
)
SINGLE_IN_JAX = [  # every optimiser and every parametrisation; other pairs are in running/test_bounded_runs.py
    ("geodesic_lbfgs", "ball"),
    ("polar_average", "ball"),
    ("scion", "ball"),
    ("muon_cap", "sandwich"),
    ("muonh", "sphere"),
    ("adamh", "sphere"),
]
every_own = pytest.mark.parametrize(("spec", "key"), OWN, ids=[f"{spec.key}-{key}" for spec, key in OWN])
# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
BOUND = 4.0
LAYERS = (6, 9, 4, 3)


def iterations(spec, key):
    """Over which the path is stable: polar factors magnify what rounding does to vanishing singular values.

    There are some in the sandwich, whose factor A has fewer outputs than units: 1e-9 is lost after a hundred. So do the
    inverse roots of geodesic L-BFGS: after forty.
    """
    if spec is GEODESIC_LBFGS:
        return 80
    return 200 if (spec, key) == (POLAR_AVERAGE, "ball") else 80


def hyper(spec):
    return {"learning_rate": RATES[spec.key]} if spec.key in RATES else {}


def made(updates, spec, gradient_at):
    return updates[spec.key](**spec.resolve(hyper(spec))).as_method(gradient_at)


def jax_objective(problem, spec, key, dtype):
    x, y = (jnp.asarray(tiles(a, 64), dtype) for a in (problem.x_train, problem.y_train))
    weight_of_sample = jnp.asarray(1.0 / (problem.loss_divisor * len(problem.x_train)), dtype)
    plain = JaxObjective(x, y, weight_of_sample, jnp.asarray(1.0, dtype))
    geometry = parametrisations.geometry(spec, PARAMETRISATIONS[key])
    weights = jax_parametrisations.weights_of(PARAMETRISATIONS[key], geometry, problem.network.weight_shapes)
    return JaxThrough(plain, weights, geometry)


class JaxRun:
    """The same as the reference's, from the same variables."""

    def __init__(self, run, spec, key, dtype):
        objective = jax_objective(run.problem, spec, key, dtype)
        method = made(JAX, spec, lambda objective, point: point.gradient)
        variables = tuple(jnp.asarray(P, dtype) for P in run.point.weights)
        self._step = jax.jit(lambda point, state: method.step(objective, point, state))
        self._start = jax.jit(lambda v: (objective.point(v), method.init(objective, v)))
        self.at(variables)

    def at(self, variables):
        self.point, self.state = self._start(variables)

    def step(self):
        found = self._step(self.point, self.state)
        self.point, self.state = found.point, found.state
        return found


def torch_objective(problem, spec, key, dtype):
    x, y = (torch.tensor(a.T, dtype=getattr(torch, dtype)).contiguous() for a in (problem.x_train, problem.y_train))
    plain = TorchPerceptron(x, y, [w.shape[0] for w in problem.weights], problem.loss_divisor)
    geometry = parametrisations.geometry(spec, PARAMETRISATIONS[key])
    found = torch_parametrisations.chart(PARAMETRISATIONS[key], geometry, problem.network.weight_shapes)
    return TorchThrough(plain, found, geometry)


class TorchRun:
    """The same in torch."""

    @torch.no_grad()
    def __init__(self, run, spec, key, dtype):
        self.objective = torch_objective(run.problem, spec, key, dtype)
        self._method = made(TORCH, spec, lambda objective, point: objective.slope(point).gradient)
        variables = [torch.tensor(P, dtype=getattr(torch, dtype)) for P in run.point.weights]
        self.point = self.objective.point(variables)
        self.state = self._method.init(self.objective, variables)

    @torch.no_grad()
    def step(self):
        found = self._method.step(self.objective, self.point, self.state)
        self.point, self.state = found.point, found.state
        return found


RUNS = {"jax": JaxRun, "torch": TorchRun}


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


def at_the_bound(spec, key):
    return Run(spec, REFERENCE[spec.key], PARAMETRISATIONS[key], lipschitz=BOUND, layers=LAYERS, **hyper(spec))


@every_own
def test_both_backends_follow_the_reference(spec, key):
    run = at_the_bound(spec, key)
    with jax.enable_x64(True):
        others = {backend: start(run, spec, key, "float64") for backend, start in RUNS.items()}
        for k in range(iterations(spec, key)):
            ours = run.step()
            for backend, other in others.items():
                theirs, place = other.step(), f"{backend}, iteration {k}"
                assert float(theirs.step_size) == pytest.approx(ours.step_size, abs=1e-9), place
                if spec is GEODESIC_LBFGS:
                    counted = int(theirs.evaluations), int(theirs.halvings)
                    assert counted == (ours.evaluations, ours.halvings), place
                for a, b in zip(theirs.point.weights, ours.point.weights, strict=True):
                    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9, err_msg=place)
    for backend, other in others.items():
        assert float(other.point.loss) == pytest.approx(ours.point.loss, rel=1e-9), backend
    if spec is GEODESIC_LBFGS:
        assert others["torch"].objective.evaluations == run.plain.evaluations


@every_own
def test_single_precision_keeps_the_bound_at_every_iterate_and_ends_near_the_reference(spec, key):
    run = at_the_bound(spec, key)
    backends = ["torch"] + ["jax"] * ((spec.key, key) in SINGLE_IN_JAX)
    others = {backend: RUNS[backend](run, spec, key, "float32") for backend in backends}
    last = dict.fromkeys(others, np.inf)
    for _ in range(60):
        run.step()
        for backend, other in others.items():
            point = other.step().point
            assert str(point.loss.dtype).endswith("float32")
            assert spec is not GEODESIC_LBFGS or float(point.loss) <= last[backend], backend
            last[backend] = float(point.loss)
            double = tuple(np.asarray(P, np.float64) for P in point.weights)
            assert max(np.linalg.norm(P, 2) for P in double) <= 1 + 1e-6, backend
            if key != "sandwich":
                assert run.problem.lipschitz_bound(double) < BOUND, backend
    for backend, loss in last.items():
        assert loss == pytest.approx(run.point.loss, rel=0.05), backend  # roundings grow along the way


def test_single_precision_in_jax_has_every_optimiser_and_every_parametrisation():
    assert {optimiser for optimiser, _ in SINGLE_IN_JAX} == set(KEYS)
    assert {key for _, key in SINGLE_IN_JAX} == {key for _, key in OWN}


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
    run = JaxRun(at_the_bound(GEODESIC_LBFGS, "ball"), GEODESIC_LBFGS, "ball", "float32")
    variables = run.point.weights
    run.at(tuple(P * np.float32(np.nan) for P in variables))
    broken = run.step()
    assert np.isnan(broken.step_size)
    assert np.isnan(broken.point.loss)
    run.at(tuple(P * np.float32(0) for P in variables))
    dead = run.step()
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
