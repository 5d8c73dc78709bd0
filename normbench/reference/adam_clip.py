"""Adam with spectral clipping (arXiv 1811.08027): its step, then matrices beyond the spectral ball are scaled to it."""

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.baselines import AdamState, adam_direction, adam_start
from normbench.reference.muon_cap import CEILING


def adam_clip(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Update:
    """P = clip(P - learning_rate u), u of :func:`adam_direction`."""

    def step(gradient: Weights, variables: Weights, state: AdamState) -> tuple[Weights, AdamState, float]:
        u, new = adam_direction(gradient, state, beta1=beta1, beta2=beta2, epsilon=epsilon)
        return tuple(moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)), new, learning_rate

    return Update(adam_start, step)


def moved(P: np.ndarray, u: np.ndarray, learning_rate: float) -> np.ndarray:
    """clip(P - learning_rate u), or P where u is zero."""
    return clip(P - learning_rate * u) if u.any() else P  # NaN is not zero: it moves, and shows


def clip(P: np.ndarray) -> np.ndarray:
    """P / max(1, ||P||_op), and in the ball P keeps its bits; NaN where it is not finite."""
    if not np.isfinite(P).all():
        return np.full_like(P, np.nan)
    return P / max(1.0, np.linalg.norm(P, 2) / CEILING)
