"""The bias-free ReLU perceptron in JAX, by hand: loss, gradient and curve derivatives (arXiv 2312.10672, eq. 7-8).

Samples are columns (features x samples) and pass through all layers in tiles that stay in the processor's cache. The
last tile is padded with zeros, which a network without biases maps to zero. Everything is pure and traces under jit.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from normbench.jax.benchmark.least_squares import gauss_newton

CPU_TILE = 512


class Point(NamedTuple):
    """Loss and gradient at ``weights``, made in one sweep."""

    weights: tuple[Array, ...]
    loss: Array
    gradient: tuple[Array, ...]


class Objective(NamedTuple):
    """Mean of ||f(x; W) - y||^2 / (2 loss_divisor) over samples in columns; a pytree.

    Attributes
    ----------
    x : Array, shape (tiles, d_0, samples of a tile)
    y : Array, shape (tiles, d_L, samples of a tile)
    weight_of_sample : Array, scalar
        1 / (loss_divisor samples), padding not counted.
    majorant_scale : Array, scalar
        Q = mean ||x||^2 / loss_divisor (eq. 22).
    """

    x: Array
    y: Array
    weight_of_sample: Array
    majorant_scale: Array

    def outputs(self, weights: tuple[Array, ...]) -> Array:
        """f(x), shape (samples, d_L), the padding of the last tile included."""
        tiled = jax.lax.map(lambda x: _forward(weights, x)[-1], self.x)
        return tiled.transpose(0, 2, 1).reshape(-1, self.y.shape[1])

    def loss(self, weights: tuple[Array, ...]) -> Array:
        """Value alone."""

        def tile(x: Array, y: Array) -> Array:
            return jnp.sum(jnp.square(_forward(weights, x)[-1] - y))

        return self._sum(tile) * (self.weight_of_sample / 2)

    def point(self, weights: tuple[Array, ...]) -> Point:
        """Value and gradient; ReLU'(0) = 0."""

        transposed = [weight.T for weight in weights]  # once, not in every tile

        def tile(x: Array, y: Array) -> tuple[Array, tuple[Array, ...]]:
            layers = _forward(weights, x)
            residual = layers.pop() - y
            signal = residual * self.weight_of_sample
            gradient: list[Array] = []
            for back, inputs in zip(reversed(transposed), reversed(layers), strict=True):
                gradient.insert(0, signal @ inputs.T)
                signal = jnp.where(inputs > 0, back @ signal, 0)
            return jnp.sum(jnp.square(residual)), tuple(gradient)

        squares, gradient = self._sum(tile)
        return Point(weights, squares * (self.weight_of_sample / 2), gradient)

    @property
    def outputs_of_a_sample(self) -> int:
        """d_L."""
        return self.y.shape[1]

    def gauss_newton(self, weights: tuple[Array, ...]) -> Array:
        """J^T J in the scale of the loss; see :mod:`normbench.jax.benchmark.least_squares`."""

        def outputs(weights: tuple[Array, ...], x: Array) -> Array:
            return _forward(weights, x[:, None])[-1][:, 0]

        counts = jnp.broadcast_to(self.weight_of_sample, (len(self.x), self.x.shape[2]))
        return gauss_newton(outputs, weights, self.x.mT, counts)  # the padding gives zeros

    def curve_derivatives(
        self, point: Point, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, in Taylor mode: two products a layer and order.

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer that does not move keeps Gamma_i(t) = W_i.
        """

        last = len(point.weights) - 1

        def tile(x: Array, y: Array) -> list[Array]:
            series: list[Array | None] = [x, *[None] * order]
            for k, (weight, speed, moves) in enumerate(zip(point.weights, velocity, moving, strict=True)):
                along_weight = [_product(weight, coefficient) for coefficient in series]
                along_speed = [_product(speed, coefficient) for coefficient in series[:order]]
                outputs = [_bend(along_weight, along_speed, j, moves) for j in range(order + 1)]
                series = outputs if k == last else [jnp.where(outputs[0] > 0, output, 0) for output in outputs]
            error = [series[0] - y, *series[1:]]
            return [sum(jnp.sum(error[j] * error[k - j]) for j in range(k + 1)) for k in range(1, order + 1)]

        squares = self._sum(tile)
        return [math.factorial(k + 1) * s * (self.weight_of_sample / 2) for k, s in enumerate(squares)]

    def _sum(self, tile: Callable[[Array, Array], Any]) -> Any:
        """Sum of a pytree-valued function over the tiles."""
        if len(self.x) == 1:
            return tile(self.x[0], self.y[0])  # the same bits as of a loop, which takes longer to trace and compile
        zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(tile, self.x[0], self.y[0]))
        total, _ = jax.lax.scan(
            lambda total, xy: (jax.tree.map(jnp.add, total, tile(*xy)), None), zero, (self.x, self.y)
        )
        return total


def tiles(samples: np.ndarray, size: int) -> np.ndarray:
    """Rows (samples, features) as tiles of columns, shape (tiles, features, size), zero-padded at the end."""
    count = -(-len(samples) // size)
    padded = np.pad(samples, ((0, count * size - len(samples)), (0, 0)))
    return np.ascontiguousarray(padded.reshape(count, size, -1).transpose(0, 2, 1))


def _forward(weights: Sequence[Array], x: Array) -> list[Array]:
    """Inputs of every layer and the output."""
    layers = [x]
    for weight in weights[:-1]:
        layers.append(jax.nn.relu(weight @ layers[-1]))
    return [*layers, weights[-1] @ layers[-1]]


def _product(matrix: Array, coefficient: Array | None) -> Array | None:
    return None if coefficient is None else matrix @ coefficient


def _bend(along_weight: Sequence[Array | None], along_speed: Sequence[Array | None], k: int, moves: Array) -> Array:
    """k-th coefficient of (W cos t + V sin t) h(t) from those of W h(t) and V h(t); None stands for zero.

    Where the layer rests, the cosine stays 1, and V is zero.
    """
    output = along_weight[k]
    bent = _combine(along_weight, k, range(2, k + 1, 2))
    if bent is not None:
        bent = jnp.where(moves, bent, 0)
        output = bent if output is None else output + bent
    sine = _combine(along_speed, k, range(1, k + 1, 2))
    terms = [term for term in (output, sine) if term is not None]
    return sum(terms[1:], terms[0])


def _combine(series: Sequence[Array | None], k: int, powers: range) -> Array | None:
    """sum over ``powers`` j of (-1)^(j // 2) / j! times the coefficient k - j: cosine for even j, sine for odd."""
    terms = [
        coefficient * ((-1) ** (j // 2) / math.factorial(j))
        for j in powers
        if (coefficient := series[k - j]) is not None
    ]
    return sum(terms[1:], terms[0]) if terms else None
