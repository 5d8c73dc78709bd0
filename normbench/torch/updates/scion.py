"""Constrained Scion in torch (arXiv 2502.07529): steps towards the corner of the ball that the averages point to."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.specs.scion import LEAST
from normbench.torch.updates.polar_average import moved

Tensors = Sequence[Tensor]


def scion(*, learning_rate: float, momentum: float) -> Update:
    """m = momentum m + (1 - momentum) G;  P = (1 - learning_rate) P - learning_rate polar(m)  (SCG)."""

    def init(objective: Any, variables: Tensors) -> list[Tensor]:
        return [torch.zeros_like(P) for P in variables]

    def step(gradient: Tensors, variables: Tensors, state: Tensors) -> tuple[list[Tensor], list[Tensor], float]:
        m = [momentum * a + (1 - momentum) * g for a, g in zip(state, gradient, strict=True)]
        P = [moved(p, a, learning_rate, least=LEAST) for p, a in zip(variables, m, strict=True)]
        return P, m, learning_rate

    return Update(init, step)
