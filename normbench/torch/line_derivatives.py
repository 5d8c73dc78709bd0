"""Derivatives of a loss along the curve of method 1, of any module: by forward mode, or by reverse mode alone.

The curve is Gamma_i(t) = W_i cos t + v_i sin t where a layer turns, and W_i + v_i t where it does not.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from normbench.torch.norms import wide

Closure = Callable[[], Tensor]


def forward(
    closure: Closure,
    module: torch.nn.Module,
    layers: Sequence[Tensor],
    velocity: Sequence[Tensor],
    turning: Sequence[bool],
    order: int,
) -> Tensor:
    """L'(0), ..., L^(order)(0) in one run of the closure, by forward mode nested ``order`` times.

    The parameters of the module stand on the curve while the closure runs; its buffers are copies.

    Raises
    ------
    NotImplementedError
        If an operator has no forward mode.
    """
    host = _Host(module, closure)
    places = {id(p): name for name, p in host.named_parameters()}
    names = [places[id(p)] for p in layers]
    start = [p.detach() for p in layers]

    def along(t: Tensor) -> tuple[Tensor, ...]:
        cosine, sine = t.cos(), t.sin()
        curve = [
            (w * cosine + v * sine if turns else w + v * t).to(w.dtype)
            for w, v, turns in zip(start, velocity, turning, strict=True)
        ]
        # copies: batch normalisation writes its running statistics, which forward mode forbids outside the function
        buffers = {name: b + torch.zeros_like(t, dtype=b.dtype, device=b.device) for name, b in host.named_buffers()}
        return (torch.func.functional_call(host, buffers | dict(zip(names, curve, strict=True)), ()),)

    return at_zero(along, layers[0].new_zeros((), dtype=wide(layers)), order)


def at_zero(along: Callable[[Tensor], tuple[Tensor, ...]], zero: Tensor, order: int) -> Tensor:
    """f'(0), ..., f^(order)(0) of a function that returns (f(t),), in one run of it, by nested forward mode."""
    for _ in range(order):
        along = _with_derivative(along)
    return torch.stack(along(zero)[1:])


class _Host(torch.nn.Module):
    """A closure as a module: what functional_call puts in place of the module's parameters, the closure sees."""

    def __init__(self, module: torch.nn.Module, closure: Closure) -> None:
        super().__init__()
        self.module = module
        self.closure = closure

    def forward(self) -> Tensor:
        """The loss."""
        return self.closure()


def _with_derivative(function: Callable[[Tensor], tuple[Tensor, ...]]) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """All that ``function`` returns, and the derivative of the last of it."""

    def extended(t: Tensor) -> tuple[Tensor, ...]:
        values, tangents = torch.func.jvp(function, (t,), (torch.ones_like(t),))
        return (*values, tangents[-1])

    return extended


def reverse(
    gradient: Sequence[Tensor],
    layers: Sequence[Tensor],
    velocity: Sequence[Tensor],
    turning: Sequence[bool],
    order: int,
) -> Tensor:
    """L'(0), ..., L^(order)(0) from a gradient with its graph, by differentiating again and again.

    With v = Gamma'(0), a = Gamma''(0) = -W, b = Gamma'''(0) = -v, Gamma''''(0) = -a (a = b = 0 where a layer does not
    turn) and D_u F = <grad F, u>, the chain rule for L(Gamma(t)) gives L' = D_v L, L'' = D_v D_v L + D_a L,
    L''' = D_v D_v D_v L + 3 D_v D_a L + D_b L, and
    L'''' = D_v D_v D_v D_v L + 6 D_v D_v D_a L + 3 D_a D_a L + 4 D_v D_b L - D_a L.
    """
    v = list(velocity)
    a, b = (
        [-u if turns else torch.zeros_like(u) for u, turns in zip(curve, turning, strict=True)]
        for curve in ([p.detach() for p in layers], v)
    )
    with torch.enable_grad():
        Lv, La, Lb = (_inner(gradient, u) for u in (v, a, b))
        if order == 1:
            return Lv.detach().reshape(1)
        of_Lv = _gradient(Lv, layers, again=order > 2)
        Lvv = _inner(of_Lv, v)
        derivatives = [Lv, Lvv + La]
        if order >= 3:
            of_Lvv = _gradient(Lvv, layers, again=order > 3)
            Lvvv = _inner(of_Lvv, v)
            derivatives.append(Lvvv + 3 * _inner(of_Lv, a) + Lb)
        if order == 4:
            Lvvvv, Laa = (_inner(_gradient(value, layers, again=False), u) for value, u in ((Lvvv, v), (La, a)))
            derivatives.append(Lvvvv + 6 * _inner(of_Lvv, a) + 3 * Laa + 4 * _inner(of_Lv, b) - La)
    return torch.stack(derivatives).detach()


def _gradient(value: Tensor, layers: Sequence[Tensor], *, again: bool) -> list[Tensor]:
    """Gradient of a scalar, with its own graph if it is differentiated again; zero where there is nothing left."""
    if value.grad_fn is None:
        return [torch.zeros_like(p) for p in layers]
    return list(
        torch.autograd.grad(
            value, layers, retain_graph=True, create_graph=again, allow_unused=True, materialize_grads=True
        )
    )


def _inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    kind = wide([*left, *right])
    return torch.stack([torch.sum(x.to(kind) * y.to(kind)) for x, y in zip(left, right, strict=True)]).sum()
