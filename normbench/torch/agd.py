"""Automatic gradient descent in torch (arXiv 2304.05187, Algorithm 1, Theorem 2)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def agd(gradient: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[list[Tensor], float]:
    """W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F; returns the weights and eta.

    eta = log((1 + sqrt(1 + 4 G)) / 2),   G = (1/L) sum_k sqrt(d_k / d_{k-1}) ||G_k||_F
    """
    depth = len(weights)
    gains = [math.sqrt(w.shape[0] / w.shape[1]) for w in weights]
    sizes = torch.stack([torch.linalg.vector_norm(g) for g in gradient]).tolist()
    summary = sum(gain * size for gain, size in zip(gains, sizes, strict=True)) / depth
    eta = math.log1p(2 * summary / (1 + math.sqrt(1 + 4 * summary)))
    moved = [
        w - g * (eta / depth * gain / size) if size != 0.0 else w
        for g, w, gain, size in zip(gradient, weights, gains, sizes, strict=True)
    ]
    return moved, eta
