"""Fromage and LARS (arXiv 2002.03432, Algorithm 1 and eq. 5)."""

import math
from typing import Any

import numpy as np

from normbench.backends.method import Update, stateless
from normbench.problems.problem import Weights

Bounds = tuple[float, ...]


def fromage(*, learning_rate: float, p_bound: float | None) -> Update:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""

    def init(objective: Any, weights: Weights) -> Bounds:
        return norm_bounds(weights, p_bound)

    def step(gradient: Weights, weights: Weights, bounds: Bounds) -> tuple[Weights, Bounds, float]:
        moved = []
        for g, W, bound in zip(gradient, weights, bounds, strict=True):
            if np.linalg.norm(g) == 0.0:
                moved.append(W)
                continue
            new = _relative_step(g, W, learning_rate) / math.sqrt(1 + learning_rate**2)
            size = float(np.linalg.norm(new))
            moved.append(new * (bound / size) if size > bound else new)
        return tuple(moved), bounds, learning_rate

    return Update(init, step)


def lars(*, learning_rate: float) -> Update:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""

    def step(gradient: Weights, weights: Weights, state: tuple[()]) -> tuple[Weights, tuple[()], float]:
        moved = tuple(_relative_step(g, W, learning_rate) for g, W in zip(gradient, weights, strict=True))
        return moved, state, learning_rate

    return Update(stateless, step)


def norm_bounds(weights: Weights, p_bound: float | None) -> Bounds:
    """Largest admissible ||W_i||_F: p_bound times the initial norm, or infinity."""
    factor = math.inf if p_bound is None else p_bound
    return tuple(factor * float(np.linalg.norm(w)) for w in weights)


def _relative_step(g: np.ndarray, W: np.ndarray, learning_rate: float) -> np.ndarray:
    size = np.linalg.norm(g)
    if size == 0.0:
        return W
    scale = np.linalg.norm(W) / size if W.any() else 1.0
    return W - learning_rate * scale * g
