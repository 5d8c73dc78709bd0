"""The objective that method 1 walks along, made of a user's closure and automatic differentiation in torch."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError

Closure = Callable[[], Tensor]


class _Evaluated(NamedTuple):
    weights: list[Tensor]
    loss: Tensor


class _Gradient(NamedTuple):
    gradient: list[Tensor]


class ClosureCurve:
    """The objective that method 1 walks along, made of a user's closure and automatic differentiation."""

    def __init__(self, layers: list[Tensor], closure: Closure) -> None:
        self._layers = layers
        self._closure = closure
        self._taped: tuple[Tensor, ...] = ()

    def start(self) -> _Evaluated:
        """Evaluate at the present parameters and keep the graph for the derivatives."""
        for index, p in enumerate(self._layers):
            if not p.requires_grad:
                raise InvalidArgumentError(
                    f"parameter {index} of shape {tuple(p.shape)} is frozen (requires_grad=False). "
                    "Leave it out of Method1."
                )
        guards = [p.register_post_accumulate_grad_hook(_refuse_backward) for p in self._layers]
        with torch.enable_grad():
            try:
                loss = self._closure()
            finally:
                for guard in guards:
                    guard.remove()
            if not isinstance(loss, Tensor) or loss.grad_fn is None:
                raise InvalidArgumentError(
                    "the closure of Method1 must return the loss as a tensor with its graph; "
                    f"got {loss!r}. Return loss_function(model(x), y) and do not call backward() on it."
                )
            # a layer that the loss does not use has a zero gradient and rests
            self._taped = torch.autograd.grad(
                loss, self._layers, create_graph=True, allow_unused=True, materialize_grads=True
            )
        return _Evaluated([p.detach().clone() for p in self._layers], loss.detach())

    def point(self, weights: list[Tensor]) -> _Evaluated:
        """Move the parameters to ``weights`` and evaluate there."""
        for p, new in zip(self._layers, weights, strict=True):
            p.copy_(new)
        return _Evaluated(weights, self._closure().detach())

    def slope(self, point: _Evaluated) -> _Gradient:
        """Gradient at the starting point."""
        return _Gradient([g.detach() for g in self._taped])

    def curve_derivatives(
        self,
        point: _Evaluated,
        slope: _Gradient,
        velocity: Sequence[Tensor],
        moving: Sequence[bool],
        order: int,
    ) -> list[float]:
        """Derivatives of the loss along the geodesic, by repeated reverse-mode differentiation.

        With v = Gamma'(0), a = Gamma''(0) = -W and D_u F = <grad F, u>, the chain rule for L(Gamma(t)) gives
        L' = D_v L, L'' = D_v D_v L + D_a L, and so on; Gamma''' = -v and Gamma'''' = -a.
        """
        v = list(velocity)
        a = [-p.detach() if moves else torch.zeros_like(p) for p, moves in zip(self._layers, moving, strict=True)]
        with torch.enable_grad():
            Lv = _inner(self._taped, v)
            La = _inner(self._taped, a)
            Lvv = self._along(Lv, v)
            derivatives = [Lv, Lvv + La]
            if order >= 3:
                Lva = self._along(Lv, a)
                Lvvv = self._along(Lvv, v)
                derivatives.append(Lvvv + 3 * Lva - Lv)
            if order == 4:
                Lvvvv, Lvva, Laa = self._along(Lvvv, v), self._along(Lvv, a), self._along(La, a)
                derivatives.append(Lvvvv + 6 * Lvva + 3 * Laa - 4 * Lvv - La)
        return [float(d.detach()) for d in derivatives]

    def _along(self, value: Tensor, direction: Sequence[Tensor]) -> Tensor:
        """D_direction of a scalar on the tape; zero where it no longer depends on a layer."""
        if value.grad_fn is None:
            return torch.zeros_like(value)
        gradient = torch.autograd.grad(value, self._layers, create_graph=True, allow_unused=True)
        return _inner(
            [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, self._layers, strict=True)], direction
        )


def _refuse_backward(parameter: Tensor) -> None:
    raise InvalidArgumentError(
        "the closure of Method1 must not call backward(): the step differentiates the loss itself. "
        "Return loss_function(model(x), y)."
    )


def _inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    return torch.stack([torch.sum(x * y) for x, y in zip(left, right, strict=True)]).sum()
