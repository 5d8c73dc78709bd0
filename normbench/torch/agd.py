"""Automatic gradient descent in torch (arXiv 2304.05187, Algorithm 1, Theorem 2), all layers in one call."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def agd(gradient: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[list[Tensor], float]:
    """W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F; returns the weights and eta.

    eta = log((1 + sqrt(1 + 4 G)) / 2),   G = (1/L) sum_k sqrt(d_k / d_{k-1}) ||G_k||_F
    """
    moved = [w.clone() for w in weights]
    return moved, agd_(gradient, moved)


def agd_(gradient: Sequence[Tensor], weights: Sequence[Tensor]) -> float:
    """:func:`agd` in place, on layers of one dtype and device; returns eta."""
    depth = len(weights)
    gains = [math.sqrt(w.shape[0] / w.shape[1]) for w in weights]
    sizes = torch.stack(torch._foreach_norm(list(gradient))).tolist()
    summary = sum(gain * size for gain, size in zip(gains, sizes, strict=True)) / depth
    eta = math.log1p(2 * summary / (1 + math.sqrt(1 + 4 * summary)))
    scales = [-eta / depth * gain / size if size != 0.0 else 0.0 for gain, size in zip(gains, sizes, strict=True)]
    on_device = torch.tensor(scales, dtype=weights[0].dtype, device=weights[0].device)
    torch._foreach_addcmul_(list(weights), list(gradient), on_device.unbind())
    return eta
