"""Fromage and LARS (arXiv 2002.03432, Algorithm 1 and eq. 5)."""

import math

import numpy as np

from normbench.problems.problem import Weights


def norm_bounds(weights: Weights, p_bound: float | None) -> tuple[float, ...]:
    """Largest admissible ||W_i||_F: p_bound times the initial norm, or infinity."""
    factor = math.inf if p_bound is None else p_bound
    return tuple(factor * float(np.linalg.norm(w)) for w in weights)


def lars(gradient: Weights, weights: Weights, *, learning_rate: float) -> Weights:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""
    return tuple(_relative_step(g, W, learning_rate) for g, W in zip(gradient, weights, strict=True))


def fromage(gradient: Weights, weights: Weights, bounds: tuple[float, ...], *, learning_rate: float) -> Weights:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""
    moved = []
    for g, W, bound in zip(gradient, weights, bounds, strict=True):
        if np.linalg.norm(g) == 0.0:
            moved.append(W)
            continue
        new = _relative_step(g, W, learning_rate) / math.sqrt(1 + learning_rate**2)
        size = float(np.linalg.norm(new))
        moved.append(new * (bound / size) if size > bound else new)
    return tuple(moved)


def _relative_step(g: np.ndarray, W: np.ndarray, learning_rate: float) -> np.ndarray:
    size = np.linalg.norm(g)
    if size == 0.0:
        return W
    scale = np.linalg.norm(W) / size if W.any() else 1.0
    return W - learning_rate * scale * g
