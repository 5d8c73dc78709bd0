"""Automatic gradient descent (arXiv 2304.05187, Algorithm 1, Theorem 2; for convolutions section 3.3, appendix B)."""

import math

import numpy as np

from normbench.backends.method import Update, stateless
from normbench.problems.problem import Weights


def agd() -> Update:
    """W_k - (eta / L) gain_k G_k / ||G_k||_F, every matrix of a kernel by its own norm; the step size is eta.

    Gradients and weights have the shapes (d_k, d_{k-1}) or (d_k, d_{k-1}, height, width).
    """

    def step(gradient: Weights, weights: Weights, state: tuple[()]) -> tuple[Weights, tuple[()], float]:
        eta = learning_rate(gradient_summary(gradient))
        moved = []
        for g, W in zip(gradient, weights, strict=True):
            norms = _norms(g)
            unit = np.divide(g, norms, out=np.zeros_like(g), where=norms != 0)  # NaN is not zero: it shows
            moved.append(np.where(norms == 0, W, W - eta / len(weights) * gain(g) * unit))
        return tuple(moved), state, eta

    return Update(stateless, step)


def gradient_summary(gradient: Weights) -> float:
    """G = (1/L) sum_k gain_k ||G_k||_F, the norms of a kernel summed over its positions   (Definition 11)."""
    return sum(gain(g) * float(_norms(g).sum()) for g in gradient) / len(gradient)


def learning_rate(summary: float) -> float:
    """eta = log((1 + sqrt(1 + 4 G)) / 2)   (Theorem 2), written to keep its digits at small G."""
    return math.log1p(2 * summary / (1 + math.sqrt(1 + 4 * summary)))


def gain(weight: np.ndarray) -> float:
    """sqrt(d_k / d_{k-1}), divided by sqrt(height width) for a kernel: the singular value at the start."""
    return math.sqrt(weight.shape[0] / weight.shape[1] / math.prod(weight.shape[2:]))


def _norms(gradient: np.ndarray) -> np.ndarray:
    """||G_k||_F of every position of a kernel, shape (1, 1, height, width), or of the one matrix, shape (1, 1)."""
    return np.linalg.norm(gradient, axis=(0, 1), keepdims=True)
