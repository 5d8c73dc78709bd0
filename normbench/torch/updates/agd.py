"""Automatic gradient descent in torch (arXiv 2304.05187, Algorithm 1, Theorem 2; for kernels section 3.3, appendix B).

All layers in one call of each operation, and nothing waits for the device.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from normbench.backends.method import Update, stateless
from normbench.torch.norms import all_common, in_doubles_at_once, narrowed


def agd() -> Update:
    """W_k - (eta / L) gain_k G_k / ||G_k||_F, every (d_k, d_{k-1}) matrix of a kernel by its own norm.

    eta = log((1 + sqrt(1 + 4 G)) / 2),   G = (1/L) sum_k gain_k ||G_k||_F, norms of a kernel summed over its positions

    Gradients and weights have the shapes (d_k, d_{k-1}) or (d_k, d_{k-1}, height, width); the step size is eta.
    """

    def step(
        gradient: Sequence[Tensor], weights: Sequence[Tensor], state: tuple[()]
    ) -> tuple[list[Tensor], tuple[()], float]:
        eta, shares = _step(gradient)
        return list(torch._foreach_addcmul(list(weights), list(gradient), shares)), state, float(eta)

    return Update(stateless, step)


def agd_(gradient: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The step of :func:`agd` in place, on layers of one device, without waiting for it; returns eta."""
    eta, shares = _step(gradient)
    torch._foreach_addcmul_(list(weights), list(gradient), shares)
    return eta


def _step(gradient: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """eta, and what each gradient is multiplied by: -eta gain_k / (L ||G_k||_F)."""
    depth, (flat, norms) = len(gradient), _norms(gradient)
    dense = all(n.dim() == 0 for n in norms)
    repeated = [gain(g.shape) for g, n in zip(gradient, norms, strict=True) for _ in range(n.numel())]
    pinned = flat.is_cuda and not torch.compiler.is_compiling()  # from other memory, copies wait for the device
    gains = torch.tensor(repeated, dtype=flat.dtype, device="cpu", pin_memory=pinned)
    gains = gains.to(flat.device, non_blocking=pinned)
    four = torch.dot(flat, gains).mul_(4 / depth)  # 4 G
    eta = four.div(four.add(1).sqrt_().add_(1).mul_(2)).log1p_()  # log(1 + 2 G / (1 + sqrt(1 + 4 G)))
    shares = torch.where(flat == 0, 0.0, gains.mul_(eta / -depth).div_(flat))  # a layer without a slope stays
    if dense:
        return eta, list(shares.unbind())
    parts = shares.split([n.numel() for n in norms])
    return eta, [part.view(n.shape) for part, n in zip(parts, norms, strict=True)]


def gain(shape: Sequence[int]) -> float:
    """sqrt(d_k / d_{k-1}), divided by sqrt(height width) for a kernel: the singular value at the start."""
    return math.sqrt(shape[0] / shape[1] / math.prod(shape[2:]))


def _norms(gradient: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """||G_k||_F of every position of a kernel, shape (1, 1, height, width), or of the one matrix, shape ().

    All of them flat as well. Of one dtype, in which :func:`normbench.torch.norms.norms` would have them.
    """
    kind = torch.float64 if in_doubles_at_once(gradient[0]) else gradient[0].dtype
    flat, norms = _norms_in(gradient, kind)
    if kind == torch.float64 or all_common(flat):
        return flat, norms
    flat, norms = _norms_in(gradient, torch.float64)
    return narrowed(flat), norms


def _norms_in(gradient: Sequence[Tensor], kind: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    matrices = [g for g in gradient if g.dim() == 2]
    whole = iter(torch._foreach_norm(matrices, 2, dtype=kind) if matrices else ())
    norms = [
        next(whole) if g.dim() == 2 else torch.linalg.vector_norm(g, dim=(0, 1), keepdim=True, dtype=kind)
        for g in gradient
    ]
    return torch.stack(norms) if len(matrices) == len(norms) else torch.cat([n.flatten() for n in norms]), norms
