"""The bias-free ReLU perceptron in JAX, by hand: loss, gradient and curve derivatives (arXiv 2312.10672, eq. 7-8).

Samples are columns (features x samples): row layout is slower on the CPU. Everything is pure and traces under jit.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Point(NamedTuple):
    """A forward pass at ``weights``: everything that the gradient and the curvature reuse.

    ``inputs[k]`` has shape (d_k, samples) and feeds layer k + 1, the data themselves left out (k >= 1);
    ``residual`` is f(x) - y, shape (d_L, samples); ``loss`` is a scalar.
    """

    weights: tuple[Array, ...]
    inputs: tuple[Array, ...]
    residual: Array
    loss: Array


class Slope(NamedTuple):
    """Gradient at a point, and the back-propagated signals dL/dz_k, shape (d_k, samples), that made it."""

    gradient: tuple[Array, ...]
    signals: tuple[Array, ...]


class Objective(NamedTuple):
    """Mean of ||f(x; W) - y||^2 / (2 loss_divisor) over samples in columns; a pytree.

    Attributes
    ----------
    x : Array, shape (d_0, samples)
    y : Array, shape (d_L, samples)
    weight_of_sample : Array, scalar
        1 / (loss_divisor samples).
    """

    x: Array
    y: Array
    weight_of_sample: Array

    def point(self, weights: tuple[Array, ...]) -> Point:
        """Forward pass at ``weights``."""
        layers = [self.x]
        for weight in weights[:-1]:
            layers.append(jax.nn.relu(weight @ layers[-1]))
        residual = weights[-1] @ layers[-1] - self.y
        loss = jnp.sum(jnp.square(residual)) * (self.weight_of_sample / 2)
        return Point(weights, tuple(layers[1:]), residual, loss)

    def slope(self, point: Point) -> Slope:
        """Backward pass from a point; ReLU'(0) = 0."""
        signals = [point.residual * self.weight_of_sample]
        for weight, hidden in zip(reversed(point.weights[1:]), reversed(point.inputs), strict=True):
            signals.insert(0, jnp.where(hidden > 0, weight.T @ signals[0], 0))
        inputs = (self.x, *point.inputs)
        gradient = tuple(signal @ h.T for signal, h in zip(signals, inputs, strict=True))
        return Slope(gradient, tuple(signals))

    def curve_derivatives(
        self, point: Point, slope: Slope, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``.

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer that does not move keeps Gamma_i(t) = W_i.
        """
        if order == 2:
            first = sum(jnp.sum(g * v) for g, v in zip(slope.gradient, velocity, strict=True))
            return [first, self._curvature(point, slope, velocity, moving)]
        return self._taylor(point, velocity, moving, order)

    def _curvature(self, point: Point, slope: Slope, velocity: Sequence[Array], moving: Sequence[Array]) -> Array:
        """L''(0) = mean |f'|^2 + 2 sum_k <delta_k, velocity_k t_{k-1}> - sum_k <G_k, W_k>, with t_k = dh_k/dt."""
        tangent = velocity[0] @ self.x
        mixed = jnp.zeros_like(point.loss)
        for k, hidden in enumerate(point.inputs):
            tangent = jnp.where(hidden > 0, tangent, 0)
            mixed += jnp.sum(velocity[k + 1] * (slope.signals[k + 1] @ tangent.T))
            tangent = point.weights[k + 1] @ tangent + velocity[k + 1] @ hidden
        straight = jnp.sum(jnp.square(tangent)) * self.weight_of_sample
        bend = [
            jnp.where(moves, jnp.sum(g * w), 0)
            for g, w, moves in zip(slope.gradient, point.weights, moving, strict=True)
        ]
        return straight + 2 * mixed - sum(bend)

    def _taylor(self, point: Point, velocity: Sequence[Array], moving: Sequence[Array], order: int) -> list[Array]:
        """Taylor mode: coefficients h^(k) / k! through the layers, two products a layer and order."""
        series = [self.x] + [jnp.zeros_like(self.x)] * order
        for k, (weight, speed, moves) in enumerate(zip(point.weights, velocity, moving, strict=True)):
            series = [weight @ _even_part(series, j, moves) + speed @ _odd_part(series, j) for j in range(order + 1)]
            if k < len(point.inputs):
                series = [jnp.where(point.inputs[k] > 0, coefficient, 0) for coefficient in series]
        error = [point.residual, *series[1:]]
        loss = [sum(jnp.sum(error[j] * error[k - j]) for j in range(k + 1)) for k in range(order + 1)]
        return [math.factorial(k) * loss[k] * (self.weight_of_sample / 2) for k in range(1, order + 1)]


def _even_part(series: list[Array], k: int, moves: Array) -> Array:
    """k-th coefficient of h(t) cos t, or of h(t) where the layer rests."""
    terms = [series[k - j] * ((-1) ** (j // 2) / math.factorial(j)) for j in range(2, k + 1, 2)]
    return series[k] + jnp.where(moves, sum(terms), 0) if terms else series[k]


def _odd_part(series: list[Array], k: int) -> Array:
    """k-th coefficient of h(t) sin t."""
    terms = [series[k - j] * ((-1) ** (j // 2) / math.factorial(j)) for j in range(1, k + 1, 2)]
    return sum(terms, jnp.zeros_like(series[0]))
