"""Polar average in torch: steps towards the corner of the spectral ball that the averaged gradients point to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.torch.updates.through import Through

ROUNDING = 10  # of a singular value, in units of eps times the largest, for every row
INSIDE = 2  # by what the factor is shrunk, in units of eps for the root of rows: 1 + 26 eps were seen of 256 x 784


@dataclass(frozen=True, eq=False)
class PolarState:
    """Variables where the gradients are taken, averaged gradients, and the number of steps."""

    P: list[Tensor]
    m: list[Tensor]
    count: int


def polar_average(*, momentum: float, offset: int, power: int) -> Method:
    """P <- (1 - eta) P - eta polar(m), eta = 2 / (k + offset); the point is at the weighted average of the P."""

    def init(objective: Through, variables: Sequence[Tensor]) -> PolarState:
        return PolarState(list(variables), [torch.zeros_like(P) for P in variables], 0)

    def step(objective: Through, point: Any, state: PolarState) -> Step:
        gradient = objective.slope(objective.point(state.P)).gradient
        m = [momentum * a + (1 - momentum) * g for a, g in zip(state.m, gradient, strict=True)]
        eta = 2 / (state.count + offset)
        rho = (power + 1) / (state.count + power + 1)
        P = [moved(p, a, eta) for p, a in zip(state.P, m, strict=True)]
        average = [A + rho * (p - A) for A, p in zip(point.weights, P, strict=True)]
        return Step(objective.point(average), PolarState(P, m, state.count + 1), eta, evaluations=2)

    return Method(init, step)


def moved(P: Tensor, m: Tensor, eta: float, *, least: float = 0.0) -> Tensor:
    """(1 - eta) P - eta polar(m), or P where m is zero; NaN where m is not finite."""
    if not m.isfinite().all():
        return torch.full_like(P, torch.nan)
    return (1 - eta) * P - eta * polar(m, least=least) if m.any() else P


def polar(m: Tensor, *, least: float = 0.0) -> Tensor:
    """U V^T of the thin singular value decomposition, without singular values that are rounding of a zero.

    Nor those of at most ``least`` times the largest. Its norm is at most 1 as it stands, by what rounding needs.
    """
    left, values, right = torch.linalg.svd(m, full_matrices=False)
    eps, rows = torch.finfo(m.dtype).eps, max(m.shape)
    kept = values > max(ROUNDING * rows * eps, least) * values[0]
    return (left * ((1 - INSIDE * eps * math.sqrt(rows)) * kept.to(m.dtype))) @ right
