"""Adam with spectral clipping in torch (arXiv 1811.08027): matrices beyond the spectral ball are scaled to it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.torch.updates.baselines import Moments, adam_direction, adam_start
from normbench.torch.updates.muon_cap import ROOM

Tensors = Sequence[Tensor]


def adam_clip(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Update:
    """P = clip(P - learning_rate u), u of :func:`adam_direction`."""

    def init(objective: Any, variables: Tensors) -> Moments:
        return adam_start(variables)

    def step(gradient: Tensors, variables: Tensors, state: Moments) -> tuple[list[Tensor], Moments, float]:
        u, new = adam_direction(gradient, state, beta1=beta1, beta2=beta2, epsilon=epsilon)
        return [moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)], new, learning_rate

    return Update(init, step)


def moved(P: Tensor, u: Tensor, learning_rate: float) -> Tensor:
    """clip(P - learning_rate u), or P where u is zero."""
    return clip(P - learning_rate * u) if u.any() else P  # NaN is not zero: it moves, and shows


def clip(P: Tensor) -> Tensor:
    """P / max(1, ||P||_op), and in the ball P keeps its bits; NaN where it is not finite."""
    if not P.isfinite().all():
        return torch.full_like(P, torch.nan)
    ceiling = 1 - ROOM * torch.finfo(P.dtype).eps
    return P / (torch.linalg.matrix_norm(P, 2) / ceiling).clamp(min=1)
