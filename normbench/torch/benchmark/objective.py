"""The objective of any network in torch, by automatic differentiation; the perceptron has one made by hand.

Both answer the same questions, so that one update serves both: :mod:`normbench.torch.benchmark.perceptron`.
"""

import math
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from normbench.backends.trajectory import samples_at_once
from normbench.networks import Loss, Network
from normbench.torch.benchmark.network import build, loss_value
from normbench.torch.benchmark.perceptron import Slope
from normbench.torch.benchmark.series import has_series, output_series
from normbench.torch.line_derivatives import at_zero

ACCUMULATED = 8192  # samples at a time where a gradient is wanted
_FORWARD = Lock()  # torch counts how deep forward mode is nested for all threads together


class Point(NamedTuple):
    """A forward pass at ``weights`` with its graph, which :meth:`NetworkObjective.slope` consumes.

    There is no graph where the samples came in more than one chunk: memory is that of one.
    """

    weights: list[Tensor]
    loss: Tensor
    workspace: tuple[list[Tensor], Tensor] | None


class Chunk(NamedTuple):
    """Some samples and targets, and their share of the mean."""

    x: Tensor
    y: Tensor
    share: float


class NetworkObjective:
    """Mean loss of a network's outputs over samples, with every pass counted in samples.

    Parameters
    ----------
    network : Network
    x, y : Tensor, batch first
        Or, in the place of x, samples that have a length and can be split, see
        :class:`normbench.torch.benchmark.trainer.Streamed`: then only batches that are given can be learned from.
    loss : Loss
    loss_divisor : float
        Of the square loss.
    dtype : torch.dtype
        Of the weights.
    majorant_scale : float
        Q of method 2, see :attr:`normbench.problems.Problem.majorant_scale`.
    """

    def __init__(
        self,
        network: Network,
        x: Tensor,
        y: Tensor,
        loss: Loss,
        loss_divisor: float,
        *,
        dtype: torch.dtype,
        majorant_scale: float,
    ) -> None:
        self._network, self._x, self._y = network, x, y
        self._loss, self._divisor = loss, loss_divisor
        nothing = [np.zeros(shape) for shape in network.weight_shapes]
        self._model = build(network, nothing, dtype=dtype, device=y.device)
        self._names = [name for name, _ in self._model.named_parameters()]
        self.majorant_scale = majorant_scale
        self._at_hand = x, y
        self._losses = self._gradients = 0

    @property
    def evaluations(self) -> tuple[int, int]:
        """Passes over all samples so far: those for the loss, and those for its gradient."""
        return round(self._losses / len(self._x)), round(self._gradients / len(self._x))

    def select(self, rows: np.ndarray) -> None:
        """Look at these samples only, until the next call."""
        chosen = torch.as_tensor(rows, device=self._y.device)
        self.take(self._x[chosen], self._y[chosen])

    def take(self, x: Tensor, y: Tensor) -> None:
        """Look at these samples, which need not be among its own, with their targets, until the next call."""
        self._at_hand = x, y

    def _chunks(self) -> list[Chunk]:
        """Samples and targets at hand, in chunks whose activations fit into memory, with their shares of the mean."""
        x, y = self._at_hand
        size = len(x) if self._network.mixes_samples else ACCUMULATED
        return [Chunk(*part, len(part[0]) / len(x)) for part in zip(x.split(size), y.split(size), strict=True)]

    def _value(self, weights: Sequence[Tensor], chunk: Chunk) -> Tensor:
        return self._error(self._outputs(weights, chunk.x), chunk)

    def _error(self, outputs: Tensor, chunk: Chunk) -> Tensor:
        return chunk.share * loss_value(self._loss, outputs, chunk.y, self._divisor)

    def _outputs(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(self._model, dict(zip(self._names, weights, strict=True)), (x,))

    def outputs(self, weights: Sequence[Tensor]) -> Iterator[Tensor]:
        """What the network gives for all samples, some at a time; no pass of the training is counted."""
        for x in self._x.split(self._at_once):
            with torch.no_grad():
                yield self._outputs(weights, x)

    @property
    def _at_once(self) -> int:
        return samples_at_once(math.prod(self._network.output_shape))

    def loss(self, weights: Sequence[Tensor]) -> float:
        """Loss of :meth:`outputs`."""
        pieces = zip(self.outputs(weights), self._y.split(self._at_once), strict=True)
        total = sum(len(y) * float(loss_value(self._loss, found, y, self._divisor)) for found, y in pieces)
        return total / len(self._y)

    def point(self, weights: list[Tensor]) -> Point:
        """Forward pass at ``weights``."""
        chunks = self._chunks()
        self._losses += sum(len(chunk.x) for chunk in chunks)
        if len(chunks) > 1:
            with torch.no_grad():
                total = torch.stack([self._value(weights, chunk) for chunk in chunks]).sum()
            return Point(weights, total, None)
        workspace = self._taped(weights, chunks[0])
        return Point(weights, workspace[1].detach(), workspace)

    def _taped(self, weights: Sequence[Tensor], chunk: Chunk) -> tuple[list[Tensor], Tensor]:
        with torch.enable_grad():
            leaves = [w.detach().requires_grad_() for w in weights]
            return leaves, self._value(leaves, chunk)

    def slope(self, point: Point) -> Slope:
        """Backward pass from a point."""
        chunks = self._chunks()
        self._gradients += sum(len(chunk.x) for chunk in chunks)
        if point.workspace is not None:
            return Slope(_gradient(*point.workspace))
        parts = [_gradient(*self._taped(point.weights, chunk)) for chunk in chunks]
        return Slope([torch.stack(of_layer).sum(dim=0) for of_layer in zip(*parts, strict=True)])

    def curve_derivatives(
        self, point: Point, slope: Slope, velocity: Sequence[Tensor], turning: Sequence[bool], order: int
    ) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, by nested forward mode.

        Through the whole network only where its outputs have no Taylor series of their own.
        """
        parts = [self._chunk_derivatives(point.weights, velocity, turning, order, chunk) for chunk in self._chunks()]
        return torch.stack(parts).sum(dim=0).tolist()

    def series_derivatives(self, point: Point, slope: Slope, curve: Sequence[Sequence[Tensor]]) -> list[float]:
        """L'(0) and L''(0) along any curve, from the coefficients of order 0, 1 and 2 of every weight."""

        def of_chunk(chunk: Chunk) -> Tensor:
            def along(t: Tensor) -> tuple[Tensor]:
                return (self._value([a + t * (b + t * c) for a, b, c in curve], chunk),)

            with _FORWARD:
                return at_zero(along, point.loss.new_zeros(()), 2)

        return torch.stack([of_chunk(chunk) for chunk in self._chunks()]).sum(dim=0).tolist()

    def _chunk_derivatives(
        self,
        weights: Sequence[Tensor],
        velocity: Sequence[Tensor],
        turning: Sequence[bool],
        order: int,
        chunk: Chunk,
    ) -> Tensor:
        """The same of one chunk, shape (order,)."""
        series = None
        if has_series(self._network):
            series = output_series(self._network, weights, velocity, turning, chunk.x, order)

        def along(t: Tensor) -> tuple[Tensor]:
            if series is not None:
                powers = torch.stack([t**k for k in range(order + 1)])
                return (self._error(torch.tensordot(powers, series, dims=1), chunk),)
            layers = zip(weights, velocity, turning, strict=True)
            return (self._value([w * torch.cos(t) + v * torch.sin(t) if m else w for w, v, m in layers], chunk),)

        with _FORWARD:
            return at_zero(along, weights[0].new_zeros(()), order)


def _gradient(leaves: list[Tensor], value: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(value, leaves, materialize_grads=True, allow_unused=True))
