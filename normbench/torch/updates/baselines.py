"""Adam and SGD as torch.optim has them, with the hyperparameters of their declarations."""

import torch
from torch import Tensor

from normbench.torch.updates.library import Library


def adam(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Library:
    """torch.optim.Adam."""

    def build(weights: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(weights, lr=learning_rate, betas=(beta1, beta2), eps=epsilon)

    return Library(build, learning_rate)


def sgd(*, learning_rate: float, momentum: float) -> Library:
    """torch.optim.SGD."""
    return Library(lambda weights: torch.optim.SGD(weights, lr=learning_rate, momentum=momentum), learning_rate)


sgd_momentum = sgd
