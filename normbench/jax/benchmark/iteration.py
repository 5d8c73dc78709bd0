"""What an optimiser is to the JAX trainer: how it starts, and one iteration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jax import Array

from normbench.jax.benchmark.perceptron import Objective, Point
from normbench.jax.updates.spheres import Arrays

Hyperparameters = dict[str, Any]


class Iteration(NamedTuple):
    """Result of one iteration: the new point, the optimiser's state, its step size, and the points evaluated."""

    point: Point
    state: Any
    step_size: Array
    evaluations: Array | int = 1


@dataclass(frozen=True)
class Method:
    """One optimiser: ``init(objective, weights, hyperparameters)`` makes its state, ``step`` takes an iteration."""

    init: Callable[[Objective, Arrays, Hyperparameters], Any]
    step: Callable[[Objective, Point, Any, Hyperparameters], Iteration]
