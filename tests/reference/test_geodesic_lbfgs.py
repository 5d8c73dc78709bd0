"""Geodesic L-BFGS in NumPy: what its parts do one by one, and what holds after every iteration."""

import itertools
import math

import numpy as np
import pytest

from normbench.networks import Loss, perceptron
from normbench.reference import geodesic_lbfgs, quasi_newton
from normbench.reference.balls import Ball, Product
from normbench.reference.network import Objective
from normbench.reference.parametrisations import chart
from normbench.reference.quasi_newton import Metric, Pair, inner, norm
from normbench.reference.through import Through
from normbench.specs import Geometry, parametrisations
from normbench.specs.geodesic_lbfgs import GEODESIC_LBFGS
from normbench.specs.parametrisations import PARAMETRISATIONS
from tests.reference.regression import Run

pytestmark = pytest.mark.quick

WAYS = parametrisations.through(GEODESIC_LBFGS)
every_way = pytest.mark.parametrize("key", WAYS)


def run_through(key, **given):
    return Run(GEODESIC_LBFGS, geodesic_lbfgs.geodesic_lbfgs, PARAMETRISATIONS[key], **given)


def test_it_runs_through_the_sandwich_unless_it_is_told_otherwise():
    assert WAYS == ("sandwich", "ball", "sphere")


@every_way
@pytest.mark.parametrize("lipschitz", [2.0, 20.0])
def test_the_loss_never_rises_and_no_iterate_leaves_its_manifold(key, lipschitz):
    run = run_through(key, lipschitz=lipschitz)
    losses = [run.point.loss]
    for _ in range(60):
        found = run.step()
        losses.append(found.point.loss)
        assert 0 < found.step_size <= math.pi / 3
        assert max(np.linalg.norm(P, 2) for P in run.point.weights) <= 1 + 1e-13
        for Q, P in zip(run.state.Q, run.point.weights, strict=True):
            columns = Q.reshape(-1, 1) if key == "sphere" else Q
            np.testing.assert_allclose(columns.T @ columns, np.eye(columns.shape[1]), atol=1e-13)
            assert set(P.ravel()) <= set(Q.ravel())
    assert all(b < a for a, b in itertools.pairwise(losses))
    assert losses[-1] < 0.85 * losses[0]


def test_larger_sets_at_the_same_bound_fit_better_and_pairs_are_worth_more_than_none():
    """Sphere, ball and sandwich contain one another in this order."""
    losses = {key: run_through(key, lipschitz=4.0).steps(80)[-1].point.loss for key in WAYS}
    assert losses["sandwich"] < losses["ball"] < losses["sphere"]
    many, one = (run_through("ball", lipschitz=20.0, history=history).steps(80)[-1].point.loss for history in (30, 1))
    assert many < 0.9 * one


def test_evaluations_are_one_loss_and_one_gradient_an_iteration_beside_those_of_cuts_and_of_the_first_step():
    run = run_through("ball")
    done = run.steps(30)
    losses, gradients = run.plain.evaluations
    assert gradients == 30
    assert losses == 1 + sum(step.evaluations for step in done)
    assert run.plain.derivative_evaluations == 1
    assert all(step.halvings == step.evaluations - 1 for step in done)


def test_the_first_direction_inverts_the_singular_values_and_the_first_step_is_that_of_method_1():
    run = run_through("ball", damping=1e-12)
    start, state = run.point, run.state
    G = state.manifold.gradient(state.Q, run.objective.gradient(start.weights))
    state = geodesic_lbfgs.remembered(state, G, history=30, decay=0.9, damping=1e-12)
    for made, g in zip(state.metric(G), G, strict=True):
        left, values, right = np.linalg.svd(g, full_matrices=False)
        rank = values > 1e-3 * values[0]
        inverse = values[0] / values[rank]  # (G G^T)^(-1/2) G (G^T G)^(-1/2) = U S^-1 V^T
        found = values[0] * left[:, rank].T @ made @ right[rank].T
        np.testing.assert_allclose(found, np.diag(inverse), atol=1e-3 * inverse.max())
    D, pairs = geodesic_lbfgs.direction(state, G)
    assert not pairs
    first, second = run.objective.series_derivatives(state.manifold.series(state.Q, D))
    assert first == pytest.approx(inner(G, D), rel=1e-9)
    turn = state.manifold.size(D)
    expected = min(-first / second, math.tan(math.pi / 6) / turn) if second > 0 else math.tan(math.pi / 6) / turn
    assert run.step().step_size == pytest.approx(math.atan(expected * turn), rel=1e-6)


class Derivatives:
    """Stands for an objective whose derivatives are known."""

    def __init__(self, first, second):
        self.both = first, second

    def series_derivatives(self, curve):
        return list(self.both)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(-1.0, 8.0, 0.125), (-1.0, 1e-9, "limit"), (-1.0, 0.0, "limit"), (-1.0, -3.0, "limit"), (1e-18, 2.0, "limit")],
)
def test_the_taylor_step_ends_at_the_minimum_or_at_the_trust_angle(first, second, expected):
    manifold = Product((Ball((2, 2)),))
    state = geodesic_lbfgs.State(manifold, manifold.lift((np.zeros((2, 2)),)))
    D = (np.zeros((4, 2)),)
    t = geodesic_lbfgs.taylor_step(Derivatives(first, second), state, D, 2.0)
    assert t == pytest.approx(math.tan(math.pi / 6) / 2 if expected == "limit" else expected)


@pytest.mark.parametrize(
    ("rise", "expected"),
    [(3.0, 0.4), (1e9, 0.2), (-1.9, 1.0), (math.inf, 0.2), (math.nan, 0.2), (-2.0, 0.2)],
    ids=["parabola", "at-least-a-tenth", "at-most-a-half", "infinite", "nan", "no-bend"],
)
def test_a_step_is_cut_to_the_minimum_of_the_parabola(rise, expected):
    """Slope -1 at 0, and t = 2: the minimum is at 2 / (rise + 2)."""
    assert geodesic_lbfgs.shorter(2.0, -1.0, rise) == pytest.approx(expected)


def test_two_loops_are_the_inverse_update_of_bfgs():
    rng = np.random.default_rng(0)
    metric = Metric().seen((rng.normal(size=(5, 3)), rng.normal(size=(2, 2))), decay=0.9, damping=0.1)

    def flat(vectors):
        return np.concatenate([v.ravel() for v in vectors])

    def draw():
        return tuple(rng.normal(size=s) for s in ((5, 3), (2, 2)))

    A = rng.normal(size=(19, 19))
    A = A @ A.T + np.eye(19)

    def times(vectors):
        z = A @ flat(vectors)
        return z[:15].reshape(5, 3), z[15:].reshape(2, 2)

    pairs = [Pair(s, times(s)) for s in (draw() for _ in range(4))]
    basis = [(np.eye(19)[k][:15].reshape(5, 3), np.eye(19)[k][15:].reshape(2, 2)) for k in range(19)]
    H = np.stack([flat(metric(e)) for e in basis])
    s, y = map(flat, pairs[-1])
    H *= s @ y / (y @ H @ y)
    for pair in pairs:
        s, y = map(flat, pair)
        V = np.eye(19) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    g = draw()
    np.testing.assert_allclose(flat(quasi_newton.two_loop(g, pairs, metric)), H @ flat(g), rtol=1e-9, atol=1e-9)


def test_pairs_without_curvature_are_left_out_and_the_oldest_go():
    one, two = (np.eye(2),), (2 * np.eye(2),)
    pairs = quasi_newton.with_pair((), one, two, history=2)
    assert len(pairs) == 1
    assert quasi_newton.with_pair(pairs, one, (-np.eye(2),), history=2) == pairs
    assert quasi_newton.with_pair(pairs, one, (np.array([[0.0, 1.0], [0.0, 0.0]]),), history=2) == pairs
    three = quasi_newton.with_pair(quasi_newton.with_pair(pairs, two, one, history=2), one, one, history=2)
    assert [pair.s[0][0, 0] for pair in three] == [2.0, 1.0]


def test_the_metric_averages_both_sides_and_a_matrix_without_gradient_rests():
    rng = np.random.default_rng(1)
    first, second = (rng.normal(size=(6, 2)) for _ in range(2))
    zero = np.zeros((3, 3))
    metric = Metric().seen((first, zero), decay=0.9, damping=1e-3).seen((second, zero), decay=0.9, damping=1e-3)
    left, right = metric.averages[0]
    np.testing.assert_allclose(left, 0.9 * first @ first.T + 0.1 * second @ second.T, rtol=1e-12)
    np.testing.assert_allclose(right, 0.9 * first.T @ first + 0.1 * second.T @ second, rtol=1e-12)
    for A, root in zip((left, right), metric.roots[0], strict=True):
        damped = A + 1e-3 * np.trace(A) / len(A) * np.eye(len(A))
        np.testing.assert_allclose(np.linalg.matrix_power(root, 2) @ damped, np.eye(len(A)), atol=1e-9)
    assert not metric((first, np.ones((3, 3))))[1].any()


def test_roots_are_renewed_now_and_then():
    metric, found = Metric(), set()
    for k in range(25):
        before, metric = metric.roots, metric.seen((np.full((3, 1), 1.0 + k),), decay=0.9, damping=1e-3)
        found |= {k} if metric.roots is not before else set()
    assert found == {*range(11), 20}


def test_a_memory_that_does_not_descend_is_given_up():
    run = run_through("ball")
    run.steps(5)
    G = run.state.manifold.gradient(run.state.Q, run.objective.gradient(run.point.weights))
    state = geodesic_lbfgs.remembered(run.state, G, history=30, decay=0.9, damping=1e-3)
    D, pairs = geodesic_lbfgs.direction(state, G)
    assert len(pairs) == 5
    assert inner(G, D) < 0
    rising = geodesic_lbfgs.replace(state, pairs=(Pair(G, tuple(-g for g in G)),))
    D, pairs = geodesic_lbfgs.direction(rising, G)
    assert pairs == ()
    assert inner(G, D) <= -1e-8 * norm(G) * norm(D)


def test_a_run_at_its_minimum_ends_with_a_step_of_zero():
    run = run_through("ball", layers=(6, 3, 2), targets=lambda x: 3 * x[:, :2] / np.linalg.norm(x[:, :2]))
    for _ in range(2000):
        found = run.step()
        if found.step_size == 0:
            break
    assert found.step_size == 0
    assert found.evaluations in (0, 20, 40)
    assert found.state.pairs == ()


def test_a_gradient_that_is_not_finite_shows_in_step_loss_and_variables():
    run = run_through("ball")
    broken = run.point._replace(weights=tuple(P * np.nan for P in run.point.weights))
    found = run.method.step(run.objective, broken, run.state)
    assert math.isnan(found.step_size)
    assert math.isnan(found.point.loss)
    assert all(np.isnan(P).all() for P in found.point.weights)


def test_a_network_that_starts_dead_stays_where_it_is():
    network = perceptron((4, 3, 2))
    found = chart(PARAMETRISATIONS["ball"], Geometry.STIEFEL, network.weight_shapes)
    plain = Objective(network, np.ones((5, 4)), np.ones((5, 2)), Loss.SQUARE, 1.0)
    objective = Through(plain, found, Geometry.STIEFEL)
    variables = (np.zeros((3, 4)), np.zeros((2, 3)))
    method = geodesic_lbfgs.geodesic_lbfgs(**GEODESIC_LBFGS.resolve({}))
    step = method.step(objective, objective.point(variables), method.init(objective, variables))
    assert step.step_size == 0
    assert step.evaluations == 0
