"""Derivatives of the loss along the geodesic: finite differences, nested autodiff and every implementation agree."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from normbench.problems.problem import Problem, Weights
from normbench.reference.network import Objective
from normbench.reference.spheres import direction, exponential_map
from tests.agreement.conftest import problem_for

ORDER = 4


def curve(seed: int) -> tuple[Problem, Weights, list[float]]:
    """A problem, its directions, and the reference's derivatives."""
    problem = problem_for("method1", seed=seed)
    objective = Objective.of(problem)
    gradient = objective.gradient(problem.weights)
    V = tuple(direction(g, w, radius=1.0) for g, w in zip(gradient, problem.weights, strict=True))
    return problem, V, objective.curve_derivatives(problem.weights, V, ORDER)


@pytest.mark.parametrize("seed", range(3))
def test_first_two_derivatives_match_finite_differences(seed: int) -> None:
    problem, V, derivatives = curve(seed)
    objective = Objective.of(problem)

    def loss(t: float) -> float:
        layers = zip(problem.weights, V, strict=True)
        return objective.loss(tuple(exponential_map(w, v, t, radius=1.0) for w, v in layers))

    h = 1e-5  # small enough that hardly a ReLU changes side between -h and h
    first = (loss(h) - loss(-h)) / (2 * h)
    second = (loss(h) - 2 * loss(0.0) + loss(-h)) / h**2
    assert derivatives[0] == pytest.approx(first, rel=1e-6)
    assert derivatives[1] == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_torch_matches_the_reference_at_every_order(seed: int) -> None:
    import torch

    from normbench.torch.benchmark.perceptron import Objective as TorchObjective

    problem, V, derivatives = curve(seed)
    x, y = (torch.tensor(a.T).contiguous() for a in (problem.x_train, problem.y_train))
    objective = TorchObjective(x, y, [w.shape[0] for w in problem.weights], problem.loss_divisor)
    point = objective.point([torch.tensor(w) for w in problem.weights])
    slope = objective.slope(point)
    velocity, moving = [torch.tensor(v) for v in V], [True] * len(V)
    for order in (2, 3, 4):
        found = objective.curve_derivatives(point, slope, velocity, moving, order)
        np.testing.assert_allclose(found, derivatives[:order], rtol=1e-10)


def forward_derivative(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import jax

    return lambda t: jax.jvp(function, (t,), (jax.numpy.ones_like(t),))[1]


@pytest.mark.parametrize("seed", [0])
def test_jax_matches_the_reference_and_nested_autodiff_at_every_order(seed: int) -> None:
    import jax
    import jax.numpy as jnp

    from normbench.jax.benchmark.perceptron import Objective as JaxObjective
    from normbench.jax.benchmark.perceptron import tiles

    problem, V, derivatives = curve(seed)
    with jax.enable_x64(True):
        x, y = (tiles(a, 64) for a in (problem.x_train, problem.y_train))  # 160 samples: padding too
        objective = JaxObjective(*map(jnp.asarray, (x, y, 1 / (problem.loss_divisor * len(problem.x_train)), 1.0)))
        weights, velocity = (tuple(map(np.asarray, matrices)) for matrices in (problem.weights, V))
        moving = (np.asarray(True),) * len(V)

        def along(t: jax.Array) -> jax.Array:
            return objective.loss(
                tuple(w * jnp.cos(t) + v * jnp.sin(t) for w, v in zip(weights, velocity, strict=True))
            )

        @jax.jit  # one program, not one for every operation
        def everything(t: jax.Array) -> Any:
            first = forward_derivative(along)
            second = forward_derivative(first)  # the program of a fourth derivative takes XLA half a minute
            point, orders = objective.point(weights), (2, 3, 4)
            by_hand = {order: objective.curve_derivatives(point, velocity, moving, order) for order in orders}
            return by_hand, (first(t), second(t))

        by_hand, nested = everything(jnp.asarray(0.0))
        for order, found in by_hand.items():
            np.testing.assert_allclose(found, derivatives[:order], rtol=1e-10)
    np.testing.assert_allclose(nested, derivatives[:2], rtol=1e-9)
