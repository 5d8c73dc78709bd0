"""Fromage and LARS in torch (arXiv 2002.03432, Algorithm 1 and eq. 5), all layers in one call of each operation."""

from collections.abc import Sequence

import torch
from torch import Tensor


def norm_bounds(weights: Sequence[Tensor], p_bound: float | None) -> list[Tensor] | None:
    """Largest admissible ||W_i||_F: p_bound times the initial norm; None for no bound."""
    if p_bound is None:
        return None
    return list(torch._foreach_mul(torch._foreach_norm(list(weights)), p_bound))


def lars(gradient: Sequence[Tensor], weights: Sequence[Tensor], *, learning_rate: float | Tensor) -> list[Tensor]:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""
    moved = [w.clone() for w in weights]
    lars_(gradient, moved, learning_rate=learning_rate)
    return moved


def fromage(
    gradient: Sequence[Tensor],
    weights: Sequence[Tensor],
    bounds: Sequence[Tensor] | None,
    *,
    learning_rate: float | Tensor,
) -> list[Tensor]:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""
    moved = [w.clone() for w in weights]
    fromage_(gradient, moved, bounds, learning_rate=learning_rate)
    return moved


def lars_(gradient: Sequence[Tensor], weights: Sequence[Tensor], *, learning_rate: float | Tensor) -> Tensor:
    """:func:`lars` in place, on layers of one dtype and device, without waiting for it; returns ||g||_F by layer."""
    sizes, wholes = (torch.stack(torch._foreach_norm(list(tensors))) for tensors in (gradient, weights))
    scales = torch.where(wholes > 0, wholes / sizes, 1.0) * -learning_rate
    torch._foreach_addcmul_(list(weights), list(gradient), torch.where(sizes == 0, 0.0, scales).unbind())
    return sizes


def fromage_(
    gradient: Sequence[Tensor],
    weights: Sequence[Tensor],
    bounds: Sequence[Tensor] | None,
    *,
    learning_rate: float | Tensor,
) -> None:
    """:func:`fromage` in place, on layers of one dtype and device, without waiting for it."""
    sizes = lars_(gradient, weights, learning_rate=learning_rate)
    still = sizes == 0
    factors = torch.where(still, torch.ones_like(sizes), (1 + learning_rate**2) ** -0.5)
    torch._foreach_mul_(list(weights), factors.unbind())
    if bounds is not None:
        wholes, limits = torch.stack(torch._foreach_norm(list(weights))), torch.stack(list(bounds))
        clips = torch.where(still | ~(wholes > limits), 1.0, limits / wholes)
        torch._foreach_mul_(list(weights), clips.unbind())
