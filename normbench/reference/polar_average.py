"""Polar average: steps towards the corner of the spectral ball that the averaged gradients point to, and their mean."""

from dataclasses import dataclass

import numpy as np

from normbench.backends.method import Method, Step
from normbench.problems.problem import Weights
from normbench.reference.network import Point
from normbench.reference.through import Through

ROUNDING = 10 * np.finfo(np.float64).eps  # of a singular value, in units of the largest, for every row


@dataclass(frozen=True, eq=False)
class PolarState:
    """Variables where the gradients are taken, averaged gradients, and the number of steps."""

    P: Weights
    m: Weights
    count: int


def polar_average(*, momentum: float, offset: int, power: int) -> Method:
    """P <- (1 - eta) P - eta polar(m), eta = 2 / (k + offset); the point is at the weighted average of the P."""

    def init(objective: Through, variables: Weights) -> PolarState:
        return PolarState(variables, tuple(np.zeros_like(P) for P in variables), 0)

    def step(objective: Through, point: Point, state: PolarState) -> Step:
        gradient = objective.gradient(objective.point(state.P).weights)  # a sweep forwards and one back
        m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(state.m, gradient, strict=True))
        eta = 2 / (state.count + offset)
        rho = (power + 1) / (state.count + power + 1)
        P = tuple(moved(p, a, eta) for p, a in zip(state.P, m, strict=True))
        average = tuple(A + rho * (p - A) for A, p in zip(point.weights, P, strict=True))
        return Step(objective.point(average), PolarState(P, m, state.count + 1), eta, evaluations=2)

    return Method(init, step)


def moved(P: np.ndarray, m: np.ndarray, eta: float, *, least: float = 0.0) -> np.ndarray:
    """(1 - eta) P - eta polar(m), or P where m is zero; NaN where m is not finite."""
    if not np.isfinite(m).all():
        return np.full_like(P, np.nan)
    return (1 - eta) * P - eta * polar(m, least=least) if m.any() else P


def polar(m: np.ndarray, *, least: float = 0.0) -> np.ndarray:
    """U V^T of the thin singular value decomposition, without singular values that are rounding of a zero.

    Nor those of at most ``least`` times the largest.
    """
    left, values, right = np.linalg.svd(m, full_matrices=False)
    return (left * (values > max(ROUNDING * max(m.shape), least) * values[0])) @ right
