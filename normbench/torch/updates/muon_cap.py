"""Muon with a spectral cap in torch (arXiv 2507.13338): its step, then singular values above 1 are set to 1."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.specs.scion import LEAST
from normbench.torch.updates.polar_average import polar

Tensors = Sequence[Tensor]

ROOM = 16  # below 1, in units of eps: for the rounding of the decomposition


def muon_cap(*, learning_rate: float, momentum: float) -> Update:
    """P = cap(P - learning_rate polar(u)), u of :func:`nesterov`."""

    def init(objective: Any, variables: Tensors) -> list[Tensor]:
        return [torch.zeros_like(P) for P in variables]

    def step(gradient: Tensors, variables: Tensors, state: Tensors) -> tuple[list[Tensor], list[Tensor], float]:
        u, m = nesterov(gradient, state, momentum)
        return [moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)], m, learning_rate

    return Update(init, step)


def nesterov(gradient: Tensors, m: Tensors, momentum: float) -> tuple[list[Tensor], list[Tensor]]:
    """u = (1 - momentum) G + momentum m  after  m = momentum m + (1 - momentum) G: direction and averages."""
    m = [momentum * a + (1 - momentum) * g for a, g in zip(m, gradient, strict=True)]
    return [(1 - momentum) * g + momentum * a for a, g in zip(m, gradient, strict=True)], m


def moved(P: Tensor, u: Tensor, learning_rate: float) -> Tensor:
    """cap(P - learning_rate polar(u)), or P where u is zero; NaN where one of them is not finite."""
    if not (P.isfinite().all() and u.isfinite().all()):
        return torch.full_like(P, torch.nan)
    return cap(P - learning_rate * polar(u, least=LEAST)) if u.any() else P


def cap(P: Tensor) -> Tensor:
    """P - U max(s - 1, 0) V^T: singular values above 1 become 1, and if there is none P keeps its bits."""
    left, values, right = torch.linalg.svd(P, full_matrices=False)
    ceiling = 1 - ROOM * torch.finfo(P.dtype).eps
    return P - (left * (values - ceiling).clamp(min=0)) @ right
