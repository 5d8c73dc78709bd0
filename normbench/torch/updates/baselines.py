"""Adam and SGD as torch.optim has them, with the hyperparameters of their declarations.

And Adam's direction by itself, for updates that go another way along it: torch.optim.Adam has its step whole.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from normbench.torch.updates.library import Library

Tensors = Sequence[Tensor]
Moments = tuple[list[Tensor], list[Tensor], int]  # first and second, and the steps taken


def adam(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Library:
    """torch.optim.Adam."""

    def build(weights: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(weights, lr=learning_rate, betas=(beta1, beta2), eps=epsilon)

    return Library(build, learning_rate)


def adam_start(weights: Tensors) -> Moments:
    """Moments of zero."""
    return [torch.zeros_like(W) for W in weights], [torch.zeros_like(W) for W in weights], 0


def adam_direction(
    gradient: Tensors, state: Moments, *, beta1: float, beta2: float, epsilon: float
) -> tuple[list[Tensor], Moments]:
    """m_hat / (sqrt(v_hat) + epsilon), zero where both are, and the new moments."""
    count = state[2] + 1
    m = [beta1 * a + (1 - beta1) * g for a, g in zip(state[0], gradient, strict=True)]
    v = [beta2 * b + (1 - beta2) * g**2 for b, g in zip(state[1], gradient, strict=True)]
    ratios = [_ratio(a / (1 - beta1**count), b / (1 - beta2**count), epsilon) for a, b in zip(m, v, strict=True)]
    return ratios, (m, v, count)


def _ratio(mean: Tensor, square: Tensor, epsilon: float) -> Tensor:
    denominator = square.sqrt() + epsilon
    return torch.where(denominator == 0, 0, mean / denominator)


def sgd(*, learning_rate: float, momentum: float) -> Library:
    """torch.optim.SGD."""
    return Library(lambda weights: torch.optim.SGD(weights, lr=learning_rate, momentum=momentum), learning_rate)


sgd_momentum = sgd
