"""Parametrisations and our own methods at a bound: both backends against the reference, in float64 and in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normbench.jax.benchmark.perceptron import Objective as JaxObjective
from normbench.jax.benchmark.perceptron import tiles
from normbench.jax.updates import geodesic_lbfgs as jax_lbfgs
from normbench.jax.updates import parametrisations as jax_parametrisations
from normbench.jax.updates import polar_average as jax_polar
from normbench.jax.updates.through import Through as JaxThrough
from normbench.networks import perceptron
from normbench.problems.initial_variables import initial_variables
from normbench.reference import geodesic_lbfgs, polar_average
from normbench.reference.parametrisations import chart
from normbench.specs import parametrisations
from normbench.specs.geodesic_lbfgs import GEODESIC_LBFGS
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.specs.polar_average import POLAR_AVERAGE
from tests.networks.examples import PLAIN, draw_weights
from tests.reference.regression import Run

PAIRS = [(key, geometry) for key, declared in PARAMETRISATIONS.items() for geometry in declared.geometries]
LBFGS = [(GEODESIC_LBFGS, geodesic_lbfgs.geodesic_lbfgs, jax_lbfgs.geodesic_lbfgs)]
POLAR = [(POLAR_AVERAGE, polar_average.polar_average, jax_polar.polar_average)]
OWN = [(spec, own, of_jax, key) for spec, own, of_jax in LBFGS + POLAR for key in parametrisations.through(spec)]
every_own = pytest.mark.parametrize(("spec", "own", "of_jax", "key"), OWN, ids=[f"{o[0].key}-{o[3]}" for o in OWN])
BOUND = 4.0


def iterations(spec, key):
    """Over which the path is stable: polar factors magnify what rounding does to vanishing singular values.

    There are some in the sandwich, whose factor A has fewer outputs than units: 1e-9 is lost after a hundred.
    """
    return 80 if (spec, key) == (POLAR_AVERAGE, "sandwich") else 200


def jax_objective(problem, spec, key, dtype):
    x, y = (jnp.asarray(tiles(a, 64), dtype) for a in (problem.x_train, problem.y_train))
    weight_of_sample = jnp.asarray(1.0 / (problem.loss_divisor * len(problem.x_train)), dtype)
    plain = JaxObjective(x, y, weight_of_sample, jnp.asarray(1.0, dtype))
    geometry = parametrisations.geometry(spec, PARAMETRISATIONS[key])
    weights = jax_parametrisations.weights_of(PARAMETRISATIONS[key], geometry, problem.network.weight_shapes)
    return JaxThrough(plain, weights, geometry)


class JaxRun:
    """The same as the reference's, from the same variables."""

    def __init__(self, run, spec, update, key, dtype, **given):
        objective = jax_objective(run.problem, spec, key, dtype)
        method = update(**spec.resolve(given))
        variables = tuple(jnp.asarray(P, dtype) for P in run.point.weights)
        self._step = jax.jit(lambda point, state: method.step(objective, point, state))
        self.point = jax.jit(objective.point)(variables)
        self.state = jax.jit(lambda v: method.init(objective, v))(variables)

    def step(self):
        found = self._step(self.point, self.state)
        self.point, self.state = found.point, found.state
        return found


@pytest.mark.parametrize(("key", "geometry"), PAIRS)
@pytest.mark.parametrize("name", ["perceptron", "convolutional"])
def test_weights_and_gradients_of_jax_are_those_of_the_reference(key, geometry, name):
    if key == "sandwich" and name == "convolutional":
        pytest.skip("refused by the declaration")
    network, rng = PLAIN[name], np.random.default_rng(1)
    variables = initial_variables(PARAMETRISATIONS[key], geometry, draw_weights(network, rng))
    variables = tuple(v + 0.3 * rng.normal(size=v.shape) for v in variables)
    found = chart(PARAMETRISATIONS[key], geometry, network.weight_shapes)
    cotangent = draw_weights(network, rng)
    with jax.enable_x64(True):
        weights = jax_parametrisations.weights_of(PARAMETRISATIONS[key], geometry, network.weight_shapes)
        plain, pull_back = jax.vjp(weights, tuple(map(jnp.asarray, variables)))
        gradient = pull_back(tuple(map(jnp.asarray, cotangent)))[0]
    for ours, theirs in zip(plain, found.weights(variables), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    for ours, theirs in zip(gradient, found.pull_back(variables, cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@every_own
def test_jax_follows_the_reference(spec, own, of_jax, key):
    run = Run(spec, own, PARAMETRISATIONS[key], lipschitz=BOUND)
    with jax.enable_x64(True):
        other = JaxRun(run, spec, of_jax, key, jnp.float64)
        for k in range(iterations(spec, key)):
            ours, theirs = run.step(), other.step()
            assert float(theirs.step_size) == pytest.approx(ours.step_size, abs=1e-9), k
            if spec is GEODESIC_LBFGS:
                assert (int(theirs.evaluations), int(theirs.halvings)) == (ours.evaluations, ours.halvings), k
            for a, b in zip(theirs.point.weights, ours.point.weights, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-9, err_msg=f"iteration {k}")
    assert float(theirs.point.loss) == pytest.approx(ours.point.loss, rel=1e-9)


@every_own
def test_single_precision_in_jax_keeps_the_bound_at_every_iterate_and_ends_where_the_reference_does(
    spec, own, of_jax, key
):
    run = Run(spec, own, PARAMETRISATIONS[key], lipschitz=BOUND)
    other = JaxRun(run, spec, of_jax, key, jnp.float32)
    last = np.inf
    for _ in range(60):
        run.step()
        loss = float(other.step().point.loss)
        assert other.point.loss.dtype == jnp.float32
        assert spec is not GEODESIC_LBFGS or loss <= last
        last = loss
        double = [np.asarray(P, np.float64) for P in other.point.weights]
        assert max(np.linalg.norm(P, 2) for P in double) <= 1 + 1e-6
        if key != "sandwich":
            assert run.problem.lipschitz_bound(tuple(double)) < BOUND
    assert last == pytest.approx(run.point.loss, rel=0.05)  # roundings grow along the way


def test_jax_shows_what_is_not_finite_and_stops_where_there_is_no_gradient():
    network = perceptron((6, 9, 4, 11, 3))
    run = Run(GEODESIC_LBFGS, geodesic_lbfgs.geodesic_lbfgs, PARAMETRISATIONS["ball"])
    assert run.problem.network == network
    objective = jax_objective(run.problem, GEODESIC_LBFGS, "ball", jnp.float32)
    method = jax_lbfgs.geodesic_lbfgs(**GEODESIC_LBFGS.resolve({}))
    variables = tuple(jnp.asarray(P, jnp.float32) for P in run.point.weights)
    step = jax.jit(lambda v: method.step(objective, objective.point(v), method.init(objective, variables)))
    broken = step(tuple(P * jnp.nan for P in variables))
    assert np.isnan(broken.step_size)
    assert np.isnan(broken.point.loss)
    dead = step(tuple(P * 0 for P in variables))
    assert float(dead.step_size) == 0
    assert int(dead.evaluations) == 0


def test_jax_renews_roots_of_large_matrices_now_and_then():
    from normbench.jax.updates.quasi_newton import Metric

    for rows, renewed in ((128, set(range(25))), (129, {*range(11), 20})):
        metric, found = Metric.empty((jnp.zeros((rows, 1)),)), set()
        for k in range(25):
            G = jnp.zeros((rows, 1)).at[k].set(1.0 + k)
            before, metric = metric.roots, metric.seen((G,), decay=0.9, damping=1e-3)
            found |= {k} if not np.array_equal(before[0][0], metric.roots[0][0]) else set()
        assert found == renewed


def test_every_declared_geometry_has_weights_in_jax():
    assert set(jax_parametrisations._WEIGHTS) == set(PAIRS)
