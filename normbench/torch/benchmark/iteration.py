"""What an optimiser is to the torch trainer: how it starts, and one iteration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from normbench.torch.benchmark.perceptron import Objective, Point

Hyperparameters = dict[str, Any]


class Iteration(NamedTuple):
    """Result of one iteration: the new point, the optimiser's state, its step size, and halvings spent."""

    point: Point
    state: Any
    step_size: float
    halvings: int = 0


@dataclass(frozen=True)
class Method:
    """One optimiser: ``init(objective, weights, hyperparameters)`` makes its state, ``step`` takes an iteration."""

    init: Callable[[Objective, Sequence[Tensor], Hyperparameters], Any]
    step: Callable[[Objective, Point, Any, Hyperparameters], Iteration]
