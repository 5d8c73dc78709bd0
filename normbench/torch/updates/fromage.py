"""Fromage and LARS in torch (arXiv 2002.03432, Algorithm 1 and eq. 5), all layers in one call of each operation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Update, stateless
from normbench.torch.norms import locals_of, norms

LARGEST = 2.0**126  # of a factor in float32, with room to spare


def fromage(*, learning_rate: float, p_bound: float | None) -> Update:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""

    def init(objective: Any, weights: Sequence[Tensor]) -> Tensor | None:
        return norm_bounds(weights, p_bound)

    def step(
        gradient: Sequence[Tensor], weights: Sequence[Tensor], bounds: Tensor | None
    ) -> tuple[list[Tensor], Tensor | None, float]:
        moved = [w.clone() for w in weights]
        fromage_(gradient, moved, bounds, learning_rate=learning_rate)
        return moved, bounds, learning_rate

    return Update(init, step)


def lars(*, learning_rate: float) -> Update:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""

    def step(
        gradient: Sequence[Tensor], weights: Sequence[Tensor], state: tuple[()]
    ) -> tuple[list[Tensor], tuple[()], float]:
        moved = [w.clone() for w in weights]
        lars_(gradient, moved, learning_rate=learning_rate)
        return moved, state, learning_rate

    return Update(stateless, step)


def norm_bounds(weights: Sequence[Tensor], p_bound: float | None) -> Tensor | None:
    """Largest admissible ||W_i||_F: p_bound times the initial norm; None for no bound."""
    return None if p_bound is None else norms(weights) * p_bound


def lars_(gradient: Sequence[Tensor], weights: Sequence[Tensor], *, learning_rate: float | Tensor) -> None:
    """The step of :func:`lars` in place, on layers of one dtype, float32 at least, and one device."""
    _relative_step_(gradient, weights, norms(weights), learning_rate)


def fromage_(
    gradient: Sequence[Tensor],
    weights: Sequence[Tensor],
    bounds: Tensor | None,
    *,
    learning_rate: float | Tensor,
    sizes: Tensor | None = None,
) -> Tensor:
    """The step of :func:`fromage` in place, on layers of one dtype, float32 at least, and one device.

    ``sizes`` are the norms of the weights where the caller has them. Returns the new ones, if there are bounds.
    """
    wholes = norms(weights) if sizes is None else sizes
    still = _relative_step_(gradient, weights, wholes, learning_rate) == 0
    factors = torch.where(still, torch.ones_like(wholes), (1 + learning_rate**2) ** -0.5)
    parts = locals_of(weights)
    torch._foreach_mul_(parts, factors.unbind())
    if bounds is None:
        return wholes
    reached = norms(weights)
    clips = torch.where(still | ~(reached > bounds), 1.0, bounds / reached)
    torch._foreach_mul_(parts, clips.unbind())
    return reached * clips


def _relative_step_(
    gradient: Sequence[Tensor], weights: Sequence[Tensor], wholes: Tensor, learning_rate: float | Tensor
) -> Tensor:
    """W - eta (||W||_F / ||g||_F) g in place, from the norms of the weights; returns ||g||_F by layer."""
    sizes = norms(gradient)
    scales = torch.where(wholes > 0, wholes / sizes, 1.0) * -learning_rate
    steps = locals_of(gradient)
    if scales.dtype == torch.float64 and steps[0].dtype in (torch.float32, torch.complex64):
        # the ratio of the norms may be beyond float32, where neither g / ||g|| nor the step is
        firsts = (1 / sizes).clamp(max=LARGEST)
        steps = torch._foreach_mul(steps, firsts.unbind())
        scales = scales / firsts
    shares = torch.where(sizes == 0, 0.0, scales)
    torch._foreach_addcmul_(locals_of(weights), steps, shares.unbind())
    return sizes
