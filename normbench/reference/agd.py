"""Automatic gradient descent for fully-connected networks (arXiv 2304.05187, Algorithm 1, Theorem 2)."""

import math

import numpy as np

from normbench.normalisation import Weights


def gradient_summary(gradient: Weights) -> float:
    """G = (1/L) sum_k sqrt(d_k / d_{k-1}) ||G_k||_F   (Definition 11)."""
    return sum(_gain(g) * float(np.linalg.norm(g)) for g in gradient) / len(gradient)


def learning_rate(summary: float) -> float:
    """eta = log((1 + sqrt(1 + 4 G)) / 2)   (Theorem 2), written to keep its digits at small G."""
    return math.log1p(2 * summary / (1 + math.sqrt(1 + 4 * summary)))


def agd(gradient: Weights, weights: Weights) -> tuple[Weights, float]:
    """W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F; returns the weights and eta."""
    eta = learning_rate(gradient_summary(gradient))
    moved = []
    for g, W in zip(gradient, weights, strict=True):
        size = np.linalg.norm(g)
        moved.append(W - eta / len(weights) * _gain(g) / size * g if size > 0 else W)
    return tuple(moved), eta


def _gain(matrix: np.ndarray) -> float:
    """sqrt(d_k / d_{k-1}) of a (d_k, d_{k-1}) matrix."""
    return math.sqrt(matrix.shape[0] / matrix.shape[1])
