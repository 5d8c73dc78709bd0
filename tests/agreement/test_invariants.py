"""What the papers promise of each update, checked on the implementations themselves; spheres in test_perceptrons.py."""

import math

import numpy as np
import pytest

from normbench.reference import agd, method2
from normbench.reference.network import Objective
from normbench.reference.spheres import direction, radii
from normbench.reference.spheres import directions as reference_directions
from tests.agreement.conftest import problem_for, train


def norms(weights: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.array([np.linalg.norm(w) for w in weights])


@pytest.mark.parametrize("seed", range(5))
def test_directions_are_unit_tangents(seed: int) -> None:
    problem = problem_for("method1", seed=seed)
    gradient = Objective.of(problem).gradient(problem.weights)
    for G, W in zip(gradient, problem.weights, strict=True):
        V = direction(G, W, radius=1.0)
        assert abs(np.vdot(W, V)) < 1e-14
        assert np.linalg.norm(V) == pytest.approx(1.0, abs=1e-14)
        assert np.vdot(G, V) < 0


def test_torch_directions_are_unit_tangents_of_the_reference() -> None:
    import torch

    from normbench.torch.updates.spheres import directions

    problem = problem_for("method1", seed=2)
    gradient = Objective.of(problem).gradient(problem.weights)
    along = directions([torch.tensor(g) for g in gradient], [torch.tensor(w) for w in problem.weights], [1.0] * 3)
    expected = [direction(g, w, radius=1.0) for g, w in zip(gradient, problem.weights, strict=True)]
    for V, W, E in zip(along.velocity, problem.weights, expected, strict=True):
        np.testing.assert_allclose(V.numpy(), E, atol=1e-14)
        assert abs(np.vdot(V.numpy(), W)) < 1e-14
    reference = reference_directions(gradient, problem.weights, (1.0,) * 3)
    assert (along.alpha, along.beta) == pytest.approx((reference.alpha, reference.beta))


@pytest.mark.parametrize("max_halvings", [1, 20])
def test_method1_never_raises_the_loss(backend: str, max_halvings: int) -> None:
    problem = problem_for("method1", seed=1)
    trajectory = train(
        backend, problem, "method1", iterations=100, trust_region=6.0, max_halvings=max_halvings
    ).trajectory()
    assert (np.diff(trajectory.loss) <= 0).all()
    assert trajectory.halvings > 0


def test_without_the_safeguard_that_loss_does_rise(backend: str) -> None:
    problem = problem_for("method1", seed=1)
    trajectory = train(backend, problem, "method1", iterations=100, trust_region=6.0, max_halvings=0).trajectory()
    assert (np.diff(trajectory.loss) > 0).any()
    assert trajectory.halvings == 0


@pytest.mark.parametrize("key", ["method1", "fromage", "lars"])
def test_update_ignores_loss_scale(backend: str, key: str) -> None:
    import dataclasses

    problem = problem_for(key, seed=4)
    scaled = dataclasses.replace(problem, loss_divisor=1e-3)
    a = train(backend, problem, key, iterations=30).trajectory()
    b = train(backend, scaled, key, iterations=30).trajectory()
    np.testing.assert_allclose(b.loss, a.loss * 1e3, rtol=1e-9)
    for x, y in zip(a.weights, b.weights, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-9)


@pytest.mark.parametrize("eta", [1e-3, 0.1, 1.0])
def test_relative_update_is_eta(backend: str, eta: float) -> None:
    for key, prefactor in (("lars", 1.0), ("fromage", math.sqrt(1 + eta**2))):
        problem = problem_for(key, seed=6)
        moved = train(backend, problem, key, iterations=1, learning_rate=eta).trajectory().weights
        for W, new in zip(problem.weights, moved, strict=True):
            assert np.linalg.norm(prefactor * new - W) == pytest.approx(eta * np.linalg.norm(W), rel=1e-12)


def test_p_bound_bounds_every_norm(backend: str) -> None:
    problem = problem_for("fromage", seed=6)
    free = train(backend, problem, "fromage", iterations=100, learning_rate=0.1).trajectory()
    bound = train(backend, problem, "fromage", iterations=100, learning_rate=0.1, p_bound=1.0).trajectory()
    assert norms(free.weights).max() > 1.0 + 1e-6
    assert norms(bound.weights).max() <= 1.0 + 1e-12


@pytest.mark.parametrize("summary", [1e-12, 1e-3, 0.7, 40.0])
def test_agd_step_minimises_its_majorant(summary: float) -> None:
    # Lemma 5 at the minimising angle: -eta G + (exp(eta) - 1)^2 / 2
    eta = agd.learning_rate(summary)
    slope = -summary + math.expm1(eta) * math.exp(eta)
    assert abs(slope) <= 1e-14 * max(summary, 1e-2)
    others = eta * np.array([0.5, 0.9, 1.1, 2.0])
    majorant = lambda t: -t * summary + np.expm1(t) ** 2 / 2  # noqa: E731
    assert (majorant(others) > majorant(eta)).all()


@pytest.mark.parametrize("seed", range(3))
def test_agd_gradient_summary_obeys_lemma_8(backend: str, seed: int) -> None:
    T = 100
    problem = problem_for("agd", seed=seed)
    etas = train(backend, problem, "agd", iterations=T).trajectory().step_size
    summaries = np.exp(etas) * np.expm1(etas)  # the inverse of eta(G)
    running = np.minimum.accumulate(summaries**2)
    assert (running <= 11 / np.arange(1, T + 1)).all()


def test_agd_update_has_the_prescribed_norm(backend: str) -> None:
    problem = problem_for("agd", seed=1)
    trajectory = train(backend, problem, "agd", iterations=1).trajectory()
    for W, new in zip(problem.weights, trajectory.weights, strict=True):
        gain = math.sqrt(W.shape[0] / W.shape[1])
        assert np.linalg.norm(new - W) == pytest.approx(gain * trajectory.step_size[0] / 3, rel=1e-12)


def majorant_at(seed: int) -> tuple[method2.Majorant, Objective, tuple[np.ndarray, ...]]:
    problem = problem_for("method2", seed=seed)
    objective = Objective.of(problem)
    gradient = objective.gradient(problem.weights)
    along = reference_directions(gradient, problem.weights, radii(problem.weights))
    return method2.Majorant(along.alpha, along.beta, 1.0, problem.weights, along.velocity), objective, along.velocity


@pytest.mark.parametrize("seed", range(3))
def test_method2_derivative_matches_finite_differences_and_vanishes_at_tau(seed: int) -> None:
    majorant, _, _ = majorant_at(seed)
    for t in (1e-4, 0.01, 0.5, 2.0):
        h = 1e-6 * t
        numeric = (majorant.value(t + h) - majorant.value(t - h)) / (2 * h)
        assert majorant.derivative(t) == pytest.approx(numeric, rel=1e-6, abs=1e-9 * majorant.beta)
    tau = majorant.minimiser()
    grid = np.linspace(0, math.pi, 301)
    assert 0 < tau < math.pi
    assert majorant.derivative(tau * (1 - 1e-9)) < 0 < majorant.derivative(tau * (1 + 1e-9))
    assert min(majorant.value(t) for t in grid) >= majorant.value(tau)


@pytest.mark.parametrize("seed", range(5))
def test_method2_majorant_bounds_the_functional_perturbation(seed: int) -> None:
    # eq. 21: ||f(x; Gamma(t)) - f(x; w)|| <= (P1(t) - P2) ||x||
    from normbench.reference.network import forward
    from normbench.reference.spheres import exponential_map

    majorant, objective, V = majorant_at(seed)
    start = forward(objective.network, majorant.weights, objective.x)
    for t in (1e-3, 0.1, 1.0):
        moved = tuple(exponential_map(w, v, t, radius=1.0) for w, v in zip(majorant.weights, V, strict=True))
        change = np.linalg.norm(forward(objective.network, moved, objective.x) - start, axis=1)
        assert (change <= majorant._products(t)[0] * (1 + 1e-12)).all()


def test_method2_exp_step_minimises_its_majorant(backend: str) -> None:
    majorant, _, V = majorant_at(0)
    tau = train(backend, problem_for("method2_exp"), "method2_exp", iterations=1).trajectory().step_size[0]
    L = len(V)
    # -beta t + Q P^2 (exp(L t) - 1)^2 / 2 with Q = P = 1
    assert math.expm1(L * tau) * math.exp(L * tau) * L == pytest.approx(majorant.beta, rel=1e-12)
