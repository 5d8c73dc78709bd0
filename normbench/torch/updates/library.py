"""Optimisers of torch.optim and pytorch_optimizer as the trainers take them: made of weights, fed with gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Method, Step


@dataclass(frozen=True)
class Library:
    """A library's optimiser that needs the gradient alone."""

    build: Callable[[list[Tensor]], torch.optim.Optimizer]  # from the weights
    learning_rate: float  # of the next step: a schedule may have changed it

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> Method:
        """It moves its own weights in place; its estimate of the learning rate, if any, is part of the step size."""

        def init(objective: Any, weights: Sequence[Tensor]) -> torch.optim.Optimizer:
            return self.build(list(weights))

        def step(objective: Any, point: Any, state: torch.optim.Optimizer) -> Step:
            library_step(state, state.param_groups[0]["params"], gradient_at(objective, point), self.learning_rate)
            estimate = float(state.param_groups[0].get("d", 1.0))
            return Step(objective.point(point.weights), state, self.learning_rate * estimate)

        return Method(init, step)


def library_step(
    optimiser: torch.optim.Optimizer, weights: Sequence[Tensor], gradient: Sequence[Tensor], learning_rate: float
) -> None:
    """One step of the library's."""
    give(weights, gradient)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.step()


def give(weights: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
    """Put the gradients where torch's optimisers look for them."""
    for weight, g in zip(weights, gradient, strict=True):
        weight.grad = g.view_as(weight)
