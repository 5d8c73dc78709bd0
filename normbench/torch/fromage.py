"""Fromage and LARS in torch (arXiv 2002.03432, Algorithm 1 and eq. 5)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def norm_bounds(weights: Sequence[Tensor], p_bound: float | None) -> list[Tensor]:
    """Largest admissible ||W_i||_F: p_bound times the initial norm, or infinity."""
    factor = math.inf if p_bound is None else p_bound
    return [factor * torch.linalg.vector_norm(w) for w in weights]


def lars(gradient: Sequence[Tensor], weights: Sequence[Tensor], *, learning_rate: float) -> list[Tensor]:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""
    return [_relative_step(g, w, learning_rate) for g, w in zip(gradient, weights, strict=True)]


def fromage(
    gradient: Sequence[Tensor], weights: Sequence[Tensor], bounds: Sequence[Tensor], *, learning_rate: float
) -> list[Tensor]:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""
    prefactor = 1 / math.sqrt(1 + learning_rate**2)
    moved = []
    for g, w, bound in zip(gradient, weights, bounds, strict=True):
        new = _relative_step(g, w, learning_rate) * prefactor
        size = torch.linalg.vector_norm(new)
        new = new * torch.where(size > bound, bound / size, 1.0)
        moved.append(torch.where(torch.linalg.vector_norm(g) > 0, new, w))
    return moved


def _relative_step(g: Tensor, w: Tensor, learning_rate: float) -> Tensor:
    size, whole = torch.linalg.vector_norm(g), torch.linalg.vector_norm(w)
    scale = torch.where(whole > 0, whole / size, 1.0)
    return torch.where(size > 0, w - g * (learning_rate * scale), w)
