"""The bias-free ReLU perceptron in torch, by hand: loss, gradient and curve derivatives (arXiv 2312.10672, eq. 7-8).

Samples are columns (features x samples) and pass in a few large blocks: plain matrix products, and none of autograd's
bookkeeping. The last block is padded with zeros, which a network without biases maps to zero.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.torch.benchmark.products import outer_product

CPU_BLOCK = 8192  # columns: what a layer writes is still in the cache when the next one reads it
ALIGNMENT = 16  # columns: with rows that begin at odd addresses a product takes up to twice as long

# ReLU' applied in one pass; the functional form of autograd's own, which has no name outside the operator library
_gate = torch.ops.aten.threshold_backward.grad_input


class Point(NamedTuple):
    """A forward pass at ``weights``: its loss, a 0-d tensor, and which workspace holds its activations."""

    weights: list[Tensor]
    loss: Tensor
    workspace: int


class Slope(NamedTuple):
    """Gradient at a point; the back-propagated signals that made it stay in the objective's other buffers."""

    gradient: list[Tensor]


class Objective:
    """Mean of ||f(x; W) - y||^2 / (2 loss_divisor), with every pass over the data counted.

    The activations live in two sets of buffers that are used in turn, because fresh memory costs more than the
    arithmetic of a small network. A point is overwritten by the next one unless :meth:`slope` was asked of it last;
    the signals of a slope are overwritten by the next point.

    Parameters
    ----------
    x : Tensor, shape (d_0, samples)
    y : Tensor, shape (d_L, samples)
    widths : sequence of int
        d_1, ..., d_L.
    loss_divisor : float
    """

    def __init__(self, x: Tensor, y: Tensor, widths: Sequence[int], loss_divisor: float) -> None:
        self._samples = samples = x.shape[1]
        self.weight_of_sample = 1.0 / (loss_divisor * samples)
        self.majorant_scale = float(x.double().square().sum() / samples / loss_divisor)
        self.loss_evaluations = 0
        self.gradient_evaluations = 0
        columns = block_columns(samples, CPU_BLOCK if x.device.type == "cpu" else samples)
        self._blocks = [
            _Block(own_x, own_y, widths) for own_x, own_y in zip(_split(x, columns), _split(y, columns), strict=True)
        ]
        rows = 2 * max(widths)
        self._tangents = [x.new_empty((rows, columns)) for _ in range(2)]
        self._held = 1

    @property
    def evaluations(self) -> tuple[int, int]:
        """Passes over the data so far: those for the loss, and those for its gradient."""
        return self.loss_evaluations, self.gradient_evaluations

    def point(self, weights: list[Tensor]) -> Point:
        """Forward pass at ``weights``."""
        self.loss_evaluations += 1
        free = 1 - self._held
        squares = sum(block.forward(weights, free) for block in self._blocks)
        return Point(weights, squares * (self.weight_of_sample / 2), free)

    def loss(self, weights: list[Tensor]) -> float:
        """Value alone."""
        return float(self.point(weights).loss)

    def outputs(self, weights: Sequence[Tensor]) -> Iterator[Tensor]:
        """f(x) of all samples in blocks, shape (samples of a block, d_L); no pass of the training is counted."""
        left = self._samples
        for block in self._blocks:
            found = block.outputs(weights)[:, :left].T
            left -= len(found)
            yield found

    def slope(self, point: Point) -> Slope:
        """Backward pass from a point; ReLU'(0) = 0."""
        self.gradient_evaluations += 1
        self._held = point.workspace
        parts = [block.backward(point.weights, point.workspace, self.weight_of_sample) for block in self._blocks]
        return Slope([sum(of_layer[1:], of_layer[0]) for of_layer in zip(*parts, strict=True)])

    def curve_derivatives(
        self, point: Point, slope: Slope, velocity: Sequence[Tensor], turning: Sequence[bool], order: int
    ) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``.

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer that does not turn keeps Gamma_i(t) = W_i.
        """
        if order == 2:
            first = sum(torch.sum(g * v) for g, v in zip(slope.gradient, velocity, strict=True))
            second = self._curvature(point, slope, velocity, turning)
            return [float(first), float(second)]
        parts = [block.taylor(point.weights, point.workspace, velocity, turning, order) for block in self._blocks]
        squares = [sum(coefficients) for coefficients in zip(*parts, strict=True)]
        return [math.factorial(k + 1) * float(s) * self.weight_of_sample / 2 for k, s in enumerate(squares)]

    def series_derivatives(self, point: Point, slope: Slope, curve: Sequence[Sequence[Tensor]]) -> list[float]:
        """L'(0) and L''(0) along any curve from a point, from the coefficients of order 0, 1 and 2 of every weight.

        L'' = that along the straight line + 2 sum_k <G_k, W_k2>
        """
        velocity = [coefficients[1] for coefficients in curve]
        first = sum(torch.sum(g * v) for g, v in zip(slope.gradient, velocity, strict=True))
        second = self._curvature(point, slope, velocity, [False] * len(velocity))
        bend = sum(torch.sum(g * own[2]) for g, own in zip(slope.gradient, curve, strict=True))
        return [float(first), float(second + 2 * bend)]

    def _curvature(self, point: Point, slope: Slope, velocity: Sequence[Tensor], turning: Sequence[bool]) -> Tensor:
        """L''(0) = mean |f'|^2 + 2 sum_k <delta_k, velocity_k t_{k-1}> - sum_k <G_k, W_k>, with t_k = dh_k/dt."""
        stacked = [torch.cat(pair) for pair in zip(point.weights, velocity, strict=True)]
        parts = [block.tangents(velocity, stacked, point.workspace, self._tangents) for block in self._blocks]
        straight, mixed = (sum(part) for part in zip(*parts, strict=True))
        bend = [torch.sum(g * w) for g, w, m in zip(slope.gradient, point.weights, turning, strict=True) if m]
        return straight * self.weight_of_sample + 2 * mixed - sum(bend)


class _Block:
    """Some of the samples with all that belongs to them: activations and signals, in two workspaces.

    A workspace holds, per layer, the activations (d_k, columns), and in place of the last ones the residual f(x) - y;
    or the signals dL/dz_k of the point in the other workspace.
    """

    def __init__(self, x: Tensor, y: Tensor, widths: Sequence[int]) -> None:
        self._x = x
        self._y = y
        self._product = outer_product(x)
        self._workspaces = [[x.new_empty((rows, x.shape[1])) for rows in widths] for _ in range(2)]

    def _inputs(self, workspace: int) -> list[Tensor]:
        """What feeds every layer."""
        return [self._x, *self._workspaces[workspace][:-1]]

    def forward(self, weights: Sequence[Tensor], workspace: int) -> Tensor:
        """Sum of the squared residuals."""
        *hidden, output = self._workspaces[workspace]
        layer = self._x
        for weight, buffer in zip(weights, hidden, strict=False):
            layer = torch.mm(weight, layer, out=buffer).relu_()
        residual = torch.mm(weights[-1], layer, out=output).sub_(self._y)
        return residual.square().sum()

    def outputs(self, weights: Sequence[Tensor]) -> Tensor:
        """f(x), shape (d_L, columns)."""
        layer = self._x
        for weight in weights[:-1]:
            layer = torch.mm(weight, layer).relu_()
        return torch.mm(weights[-1], layer)

    def backward(self, weights: Sequence[Tensor], workspace: int, weight_of_sample: float) -> list[Tensor]:
        """This block's part of the gradient."""
        signals, inputs = self._workspaces[1 - workspace], self._inputs(workspace)
        torch.mul(self._workspaces[workspace][-1], weight_of_sample, out=signals[-1])
        for k in range(len(weights) - 1, 0, -1):
            torch.mm(weights[k].T, signals[k], out=signals[k - 1])
            _gate(signals[k - 1], inputs[k], 0, grad_input=signals[k - 1])
        return [self._product(signal, layer) for signal, layer in zip(signals, inputs, strict=True)]

    def tangents(
        self, velocity: Sequence[Tensor], stacked: Sequence[Tensor], workspace: int, buffers: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """sum |f'|^2 and sum_k <delta_k, velocity_k t_{k-1}>; ``stacked`` holds W_k above velocity_k."""
        signals, inputs = self._workspaces[1 - workspace], self._inputs(workspace)
        tangent = torch.mm(velocity[0], self._x, out=buffers[0][: velocity[0].shape[0]])
        mixed = tangent.new_zeros(())
        for k in range(1, len(velocity)):
            _gate(tangent, inputs[k], 0, grad_input=tangent)
            rows = velocity[k].shape[0]
            both = torch.mm(stacked[k], tangent, out=buffers[k % 2][: 2 * rows])
            mixed = mixed + both[rows:].mul_(signals[k]).sum()
            tangent = both[:rows].addmm_(velocity[k], inputs[k])
        return tangent.square().sum(), mixed

    def taylor(
        self,
        weights: Sequence[Tensor],
        workspace: int,
        velocity: Sequence[Tensor],
        turning: Sequence[bool],
        order: int,
    ) -> list[Tensor]:
        """Taylor coefficients 1 to ``order`` of the sum of squares: two products a layer and order."""
        inputs = self._inputs(workspace)
        series = [self._x] + [torch.zeros_like(self._x)] * order
        for k, (weight, speed, moves) in enumerate(zip(weights, velocity, turning, strict=True)):
            if k > 0:
                series = [coefficient.mul_(inputs[k] > 0) for coefficient in series]
            series = [weight @ _even_part(series, j, moves) + speed @ _odd_part(series, j) for j in range(order + 1)]
        error = [self._workspaces[workspace][-1], *series[1:]]
        return [sum(torch.sum(error[j] * error[k - j]) for j in range(k + 1)) for k in range(1, order + 1)]


def block_columns(samples: int, largest: int) -> int:
    """Columns of every block: as few blocks as ``largest`` allows, equal, and rounded up to the alignment."""
    blocks = -(-samples // largest)
    return -(-samples // (blocks * ALIGNMENT)) * ALIGNMENT


def _split(samples: Tensor, columns: int) -> list[Tensor]:
    """Blocks of that many columns, each contiguous, the last one padded with zeros."""
    missing = -samples.shape[1] % columns
    padded = torch.nn.functional.pad(samples, (0, missing))
    return [block.contiguous() for block in padded.split(columns, dim=1)]


def _even_part(series: list[Tensor], k: int, moves: bool) -> Tensor:
    """k-th coefficient of h(t) cos t, or of h(t) where the layer rests."""
    part = series[k].clone()
    for j in range(2, k + 1 if moves else 0, 2):
        part.add_(series[k - j], alpha=(-1) ** (j // 2) / math.factorial(j))
    return part


def _odd_part(series: list[Tensor], k: int) -> Tensor:
    """k-th coefficient of h(t) sin t."""
    part = torch.zeros_like(series[0])
    for j in range(1, k + 1, 2):
        part.add_(series[k - j], alpha=(-1) ** (j // 2) / math.factorial(j))
    return part
