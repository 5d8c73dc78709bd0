"""Muon with a spectral cap (arXiv 2507.13338): its step, then singular values above 1 are set to 1."""

from typing import Any

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.polar_average import polar
from normbench.specs.scion import LEAST

CEILING = 1 - 16 * np.finfo(np.float64).eps  # room for the rounding of the decomposition, in every precision


def muon_cap(*, learning_rate: float, momentum: float) -> Update:
    """P = cap(P - learning_rate polar(u)), u of :func:`nesterov`."""

    def init(objective: Any, variables: Weights) -> Weights:
        return tuple(np.zeros_like(P) for P in variables)

    def step(gradient: Weights, variables: Weights, state: Weights) -> tuple[Weights, Weights, float]:
        u, m = nesterov(gradient, state, momentum)
        return tuple(moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)), m, learning_rate

    return Update(init, step)


def nesterov(gradient: Weights, m: Weights, momentum: float) -> tuple[Weights, Weights]:
    """u = (1 - momentum) G + momentum m  after  m = momentum m + (1 - momentum) G: direction and averages."""
    m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(m, gradient, strict=True))
    return tuple((1 - momentum) * g + momentum * a for a, g in zip(m, gradient, strict=True)), m


def moved(P: np.ndarray, u: np.ndarray, learning_rate: float) -> np.ndarray:
    """cap(P - learning_rate polar(u)), or P where u is zero; NaN where one of them is not finite."""
    if not (np.isfinite(P).all() and np.isfinite(u).all()):
        return np.full_like(P, np.nan)
    return cap(P - learning_rate * polar(u, least=LEAST)) if u.any() else P


def cap(P: np.ndarray) -> np.ndarray:
    """P - U max(s - 1, 0) V^T: singular values above 1 become 1, and if there is none P keeps its bits."""
    left, values, right = np.linalg.svd(P, full_matrices=False)
    return P - (left * np.maximum(values - CEILING, 0)) @ right
