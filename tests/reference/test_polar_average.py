"""The polar average in NumPy: the ball is kept, the average is what it says, and the gradient's size means nothing."""

import numpy as np
import pytest

from normbench.reference import polar_average as module
from normbench.reference.network import Point
from normbench.specs import parametrisations
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.specs.polar_average import POLAR_AVERAGE
from tests.reference.regression import Run

pytestmark = pytest.mark.quick

WAYS = parametrisations.through(POLAR_AVERAGE)


def run(key, **given):
    return Run(POLAR_AVERAGE, module.polar_average, PARAMETRISATIONS[key], **given)


def test_it_runs_through_balls():
    assert WAYS == ("ball", "sandwich")


@pytest.mark.parametrize("key", WAYS)
def test_every_iterate_and_every_average_is_in_the_ball_and_the_loss_falls(key):
    here = run(key, lipschitz=4.0)
    first = here.point.loss
    for k in range(100):
        found = here.step()
        assert found.step_size == pytest.approx(2 / (k + 10))
        for variables in (found.point.weights, found.state.P):
            assert max(np.linalg.norm(P, 2) for P in variables) <= 1 + 1e-14
    assert here.point.loss < 0.8 * first
    assert here.plain.evaluations == (201, 100)


def test_the_average_weighs_the_iterates_with_about_the_eighth_power_of_their_number():
    here = run("ball")
    seen = [step.state.P[0] for step in here.steps(60)]
    weights = np.array([np.prod(np.arange(k + 1, k + 9, dtype=float)) for k in range(60)])
    expected = sum(w * P for w, P in zip(weights, seen, strict=True)) / weights.sum()
    np.testing.assert_allclose(here.point.weights[0], expected, atol=1e-14)


def test_the_size_of_the_gradient_means_nothing():
    here, larger = run("ball"), run("ball")
    own = larger.objective.gradient
    larger.objective.gradient = lambda variables: tuple(1e3 * g for g in own(variables))
    here.steps(20)
    larger.steps(20)
    for a, b in zip(here.point.weights, larger.point.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_the_polar_factor_is_the_farthest_point_of_the_ball_along_the_matrix():
    rng = np.random.default_rng(0)
    m = rng.normal(size=(5, 3))
    Q = module.polar(m)
    np.testing.assert_allclose(Q.T @ Q, np.eye(3), atol=1e-14)
    m[:, 2] = m[:, 0] + m[:, 1]
    assert np.linalg.svd(module.polar(m), compute_uv=False) == pytest.approx([1, 1, 0], abs=1e-14)
    m = rng.normal(size=(5, 3))
    Q = module.polar(m)
    assert np.vdot(m, Q) == pytest.approx(np.linalg.svd(m, compute_uv=False).sum())


def test_what_has_no_gradient_stays_and_what_is_not_finite_shows():
    P = np.eye(3)[:2] / 2
    assert module.moved(P, np.zeros((2, 3)), 0.5) is P
    assert np.isnan(module.moved(P, np.full((2, 3), np.inf), 0.5)).all()
    here = run("ball")
    broken = Point(here.point.weights, np.nan)
    state = module.PolarState(tuple(P * np.nan for P in here.state.P), here.state.m, 0)
    assert np.isnan(here.method.step(here.objective, broken, state).point.loss)
