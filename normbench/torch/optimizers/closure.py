"""The objective that a step walks along, made of a user's closures and automatic differentiation in torch."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.torch import line_derivatives
from normbench.torch.line_derivatives import Closure
from normbench.torch.optimizers.graphs import has_reentrant_checkpoint, require_another_derivative
from normbench.torch.optimizers.losses import Losses, first_line
from normbench.torch.precision import Surroundings, without_autocast

Average = Callable[[list[Tensor]], list[Tensor]]

ROUGHLY = 0.01  # of a derivative: how well two ways to compute it agree before training


class _Evaluated(NamedTuple):
    weights: list[Tensor]
    loss: Tensor


class Gradient(NamedTuple):
    """Of every layer."""

    gradient: list[Tensor]


class ClosureCurve:
    """The sum of closures as a function of the parameters; one graph is kept at a time.

    Parameters
    ----------
    layers : list of Tensor
    closures : sequence of callable
        One for each part of the data.
    name : str
        Of the optimiser, for messages.
    module : torch.nn.Module, optional
        Holds the layers; with it derivatives are taken in forward mode. Set to None if that turns out impossible.
    verified : bool
        Whether forward mode has been seen to agree with the gradient. Set when it has.
    average : callable
        Average of tensors over processes.
    searched : bool
        Whether the graph of a gradient was looked through for parts without a derivative. Set when it has been.
    surroundings : callable
        Makes the context in which closures run and are differentiated.
    higher : bool
        Whether derivatives beyond the gradient may be asked for; closures run on operators that have them then.

    Attributes
    ----------
    unreached : list of int
        Layers that no loss reaches, known after :meth:`start`. Their derivatives count as zero.
    checkpointed : bool
        Whether some layer is unreached and a loss has passed a reentrant checkpoint, inside which it may well be.
    """

    def __init__(
        self,
        layers: list[Tensor],
        closures: Sequence[Closure],
        module: torch.nn.Module | None,
        average: Average,
        *,
        name: str,
        verified: bool,
        searched: bool = False,
        surroundings: Surroundings = nullcontext,
        higher: bool = True,
    ) -> None:
        self._layers = layers
        self._closures = closures
        self._name = name
        self.module = module
        self.verified = verified
        self.searched = searched
        self._average = average
        self._surroundings = surroundings
        self._losses = Losses(name, higher=higher)
        self._taped: list[Tensor] = []
        self._slope: list[Tensor] = []
        self.unreached: list[int] = []
        self.checkpointed = False

    def start(self, *, again: bool = True) -> _Evaluated:
        """Evaluate loss and gradient at the present parameters; ``again`` keeps the graph for higher derivatives."""
        keep = again and self.module is None and len(self._closures) == 1
        loss, self._slope, unreached = self._differentiated(keep=keep)
        self.unreached = sorted(unreached)
        return _Evaluated([p.detach().clone() for p in self._layers], loss)

    def gradient_at(self, weights: Sequence[Tensor]) -> Gradient:
        """Move the parameters to ``weights`` and differentiate the loss there."""
        torch._foreach_copy_(self._layers, list(weights))
        return Gradient(self._differentiated(keep=False)[1])

    def _differentiated(self, *, keep: bool) -> tuple[Tensor, list[Tensor], set[int]]:
        """Loss, gradient, and the layers that no loss reaches, where the parameters are."""
        losses = []
        slope = [torch.zeros_like(p) for p in self._layers]
        unreached = set(range(len(self._layers)))
        self.checkpointed = False
        for closure in self._closures:
            with self._surroundings():
                with self._losses.refusing_backward(self._layers):
                    value = self._losses.traced(closure)
                found = self._gradient(value, again=keep)
            unreached &= {k for k, g in enumerate(found) if g is None}
            # walked only where something is missing
            self.checkpointed |= None in found and has_reentrant_checkpoint(value)
            gradient = self._filled(found)
            self._taped = gradient if keep else []
            losses.append(value.detach())
            torch._foreach_add_(slope, [g.detach() for g in gradient])
        self.checkpointed &= bool(unreached)
        loss, *slope = self._average([_sum(losses), *slope])
        return loss, slope, unreached

    def _gradient(self, loss: Tensor, *, again: bool) -> tuple[Tensor | None, ...]:
        """Gradient with respect to the layers; None for a layer that the loss does not reach."""
        with self._losses.explained(), without_autocast(self._layers):
            return torch.autograd.grad(loss, self._layers, create_graph=again, allow_unused=True)

    def _filled(self, gradient: Sequence[Tensor | None]) -> list[Tensor]:
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self._layers, gradient, strict=True)]

    def point(self, weights: list[Tensor]) -> _Evaluated:
        """Move the parameters to ``weights`` and evaluate there."""
        if weights:
            torch._foreach_copy_(self._layers, weights)
        with self._surroundings():
            losses = [self._losses.value(closure).detach() for closure in self._closures]
        return _Evaluated(weights, self._average([_sum(losses)])[0])

    def back(self, point: _Evaluated) -> None:
        """Return the parameters to where they were; a graph from before they moved is of no use any more."""
        torch._foreach_copy_(self._layers, point.weights)
        self._taped = []

    def slope(self, point: _Evaluated) -> Gradient:
        """Gradient at the starting point."""
        return Gradient(self._slope)

    def curve_derivatives(
        self,
        point: _Evaluated,
        slope: Gradient,
        velocity: Sequence[Tensor],
        turning: Sequence[bool],
        order: int,
    ) -> list[float]:
        """Derivatives of the loss along W_i cos t + velocity_i sin t where it turns, else W_i + velocity_i t.

        Raises
        ------
        InvalidArgumentError
            If the graph of a loss has an operator that cannot be differentiated often enough.
        """
        with self._surroundings():
            parts = self._forward(velocity, turning, order) or self._reverse(velocity, turning, order)
        return self._average([_sum(parts)])[0].tolist()

    def _forward(self, velocity: Sequence[Tensor], turning: Sequence[bool], order: int) -> list[Tensor]:
        """Of every closure; nothing without a module, or where forward mode is not there or not right."""
        if self.module is None:
            return []
        try:
            parts = [
                line_derivatives.forward(
                    partial(self._losses.value, closure), self.module, self._layers, velocity, turning, order
                )
                for closure in self._closures
            ]
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as missing:  # NotImplementedError is one
            return self._give_up(f"it is not implemented for all of the network: {first_line(missing)}")
        found = _sum(parts)
        if self.verified or not found.isfinite().all():  # nothing is learnt from NaN, which shows by itself
            return parts
        expected = self._expected(velocity, turning, order).to(found)
        self.verified = bool(expected.isfinite().all())
        for k in range(len(expected)):
            if abs(found[k] - expected[k]) > ROUGHLY * expected[: k + 1].abs().max():
                return self._give_up(
                    f"its derivatives {found.tolist()} along the step are not those of reverse mode, "
                    f"{expected.tolist()}: the closure does not reach all parameters through module, or torch has a "
                    "wrong formula for one of the operators"
                )
        return parts

    def _expected(self, velocity: Sequence[Tensor], turning: Sequence[bool], order: int) -> Tensor:
        """Derivatives by reverse mode, or where an operator has no second one, the first alone."""
        try:
            return _sum(self._reverse(velocity, turning, order))
        except InvalidArgumentError:
            return _sum(self._reverse(velocity, turning, 1))

    def _give_up(self, reason: str) -> list[Tensor]:
        warnings.warn(
            f"{self._name} takes derivatives in reverse mode from now on, and not in forward mode, because {reason}.",
            RuntimeWarning,
            stacklevel=2,
        )
        self.module = None
        return []

    def _reverse(self, velocity: Sequence[Tensor], turning: Sequence[bool], order: int) -> list[Tensor]:
        """Of every closure; its forward pass is done again unless its graph is there."""

        def derivatives(closure: Closure) -> Tensor:
            gradient = self._taped or self._filled(self._gradient(self._losses.traced(closure), again=True))
            with self._losses.explained(), without_autocast(self._layers):
                if not self.searched:  # a walk through the graph, where one says enough
                    require_another_derivative(gradient)
                return line_derivatives.reverse(gradient, self._layers, velocity, turning, order)

        # a function of its own, so that one graph is gone before the next is there
        parts = [derivatives(closure) for closure in self._closures]
        self.searched = True
        return parts


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return sum(terms[1:], terms[0])
