"""The bias-free ReLU perceptron in torch, by hand: loss, gradient and curve derivatives (arXiv 2312.10672, eq. 7-8).

Samples are columns (features x samples): one matrix product a layer, and none of autograd's bookkeeping.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.torch.products import outer_product


class Point(NamedTuple):
    """A forward pass at ``weights``: everything that the gradient and the curvature reuse.

    ``inputs[k]`` has shape (d_k, samples) and feeds layer k + 1; ``residual`` is f(x) - y, shape (d_L, samples);
    ``loss`` is a 0-d tensor. ``workspace`` tells the objective which of its buffers hold them.
    """

    weights: list[Tensor]
    inputs: list[Tensor]
    residual: Tensor
    loss: Tensor
    workspace: int


class Slope(NamedTuple):
    """Gradient at a point, and the back-propagated signals dL/dz_k, shape (d_k, samples), that made it."""

    gradient: list[Tensor]
    signals: list[Tensor]


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
        self.x = x
        self.y = y
        self._product = outer_product(x)
        self.weight_of_sample = 1.0 / (loss_divisor * x.shape[1])
        self.loss_evaluations = 0
        self.gradient_evaluations = 0
        self._workspaces = [self._buffers(widths) for _ in range(2)]
        self._gates = self._buffers(widths[:-1])
        self._tangents: list[Tensor] = []
        self._held = 1

    def _buffers(self, rows: Sequence[int]) -> list[Tensor]:
        return [self.x.new_empty((r, self.x.shape[1])) for r in rows]

    def point(self, weights: list[Tensor]) -> Point:
        """Forward pass at ``weights``."""
        self.loss_evaluations += 1
        free = 1 - self._held
        layers = [self.x]
        for weight, buffer in zip(weights, self._workspaces[free], strict=True):
            layers.append(torch.mm(weight, layers[-1], out=buffer))
            if len(layers) <= len(weights):
                buffer.relu_()
        residual = layers.pop().sub_(self.y)
        loss = residual.square().sum() * (self.weight_of_sample / 2)
        return Point(weights, layers, residual, loss, free)

    def slope(self, point: Point) -> Slope:
        """Backward pass from a point; ReLU'(0) = 0."""
        self.gradient_evaluations += 1
        self._held = point.workspace
        signals = self._workspaces[1 - point.workspace]
        torch.mul(point.residual, self.weight_of_sample, out=signals[-1])
        for k in reversed(range(len(self._gates))):
            torch.sign(point.inputs[k + 1], out=self._gates[k])  # inputs are >= 0, so this is ReLU' as 0 or 1
            torch.mm(point.weights[k + 1].T, signals[k + 1], out=signals[k]).mul_(self._gates[k])
        gradient = [self._product(signal, inputs) for signal, inputs in zip(signals, point.inputs, strict=True)]
        return Slope(gradient, signals)

    def curve_derivatives(
        self, point: Point, slope: Slope, velocity: Sequence[Tensor], moving: Sequence[bool], order: int
    ) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``.

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer that does not move keeps Gamma_i(t) = W_i.
        """
        if order == 2:
            first = sum(torch.sum(g * v) for g, v in zip(slope.gradient, velocity, strict=True))
            second = self._curvature(point, slope, velocity, moving)
            return [float(first), float(second)]
        return self._taylor(point, velocity, moving, order)

    def _curvature(self, point: Point, slope: Slope, velocity: Sequence[Tensor], moving: Sequence[bool]) -> Tensor:
        """L''(0) = mean |f'|^2 + 2 sum_k <delta_k, velocity_k t_{k-1}> - sum_k <G_k, W_k>, with t_k = dh_k/dt."""
        if not self._tangents:
            rows = 2 * max(w.shape[0] for w in point.weights)
            self._tangents = self._buffers([rows, rows])
        tangent = torch.mm(velocity[0], self.x, out=self._tangents[0][: velocity[0].shape[0]])
        mixed = tangent.new_zeros(())
        for k, gate in enumerate(self._gates):
            weight, speed = point.weights[k + 1], velocity[k + 1]
            rows = weight.shape[0]
            both = self._tangents[(k + 1) % 2][: 2 * rows]
            torch.mm(torch.cat([weight, speed]), tangent.mul_(gate), out=both)
            mixed = mixed + both[rows:].mul_(slope.signals[k + 1]).sum()
            tangent = both[:rows].addmm_(speed, point.inputs[k + 1])
        straight = tangent.square().sum() * self.weight_of_sample
        bend = [torch.sum(g * w) for g, w, m in zip(slope.gradient, point.weights, moving, strict=True) if m]
        return straight + 2 * mixed - sum(bend)

    def _taylor(self, point: Point, velocity: Sequence[Tensor], moving: Sequence[bool], order: int) -> list[float]:
        """Taylor mode: coefficients h^(k) / k! through the layers, two products a layer and order."""
        series = [point.inputs[0]] + [torch.zeros_like(point.inputs[0])] * order
        for k, (weight, speed, moves) in enumerate(zip(point.weights, velocity, moving, strict=True)):
            series = [weight @ _even_part(series, j, moves) + speed @ _odd_part(series, j) for j in range(order + 1)]
            if k < len(self._gates):
                series = [coefficient.mul_(self._gates[k]) for coefficient in series]
        error = [point.residual, *series[1:]]
        scale = self.weight_of_sample / 2
        loss = [sum((error[j] * error[k - j]).sum() for j in range(k + 1)) for k in range(order + 1)]
        return [math.factorial(k) * float(loss[k]) * scale for k in range(1, order + 1)]


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
