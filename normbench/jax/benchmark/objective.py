"""The objective of any network in JAX, by automatic differentiation; the perceptron has one made by hand.

Both answer the same questions, so that one update serves both: :mod:`normbench.jax.benchmark.perceptron`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.benchmark.least_squares import gauss_newton, in_parts
from normbench.jax.benchmark.network import apply, loss_value
from normbench.jax.benchmark.perceptron import Point
from normbench.jax.line_derivatives import at_zero
from normbench.networks import Loss, Network

ACCUMULATED = 8192  # samples at a time
WITH_ROWS = 512  # samples at a time, of which every output has a row as long as all weights


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "y", "loss_divisor", "majorant_scale"],
    meta_fields=["network", "kind"],
)
@dataclass(frozen=True)
class NetworkObjective:
    """Mean loss of a network's outputs over samples; a pytree.

    Attributes
    ----------
    x, y : Array, batch first
    loss_divisor : Array, scalar
        Of the square loss.
    majorant_scale : Array, scalar
        Q of eq. 22 for any network: mean ||x||^2, times squared gain of all that is no weight, times curvature; NaN
        where a layer has no known gain.
    network : Network
    kind : Loss
    """

    x: Array
    y: Array
    loss_divisor: Array
    majorant_scale: Array
    network: Network
    kind: Loss

    def at(self, rows: Array | slice) -> "NetworkObjective":
        """The objective of some of the samples."""
        return replace(self, x=self.x[rows], y=self.y[rows])

    def outputs(self, weights: tuple[Array, ...]) -> Array:
        """What the network gives for all samples."""
        return apply(self.network, weights, self.x)

    def loss(self, weights: tuple[Array, ...]) -> Array:
        """Value alone; of many samples in chunks, so that also its derivatives need the memory of one."""
        samples = len(self.x)
        if samples <= ACCUMULATED or self.network.mixes_samples:
            return self.loss_of(self.outputs(weights))
        whole = samples - samples % ACCUMULATED
        shape = (whole // ACCUMULATED, ACCUMULATED)
        chunks = (a[:whole].reshape(*shape, *a.shape[1:]) for a in (self.x, self.y))

        @jax.checkpoint
        def add(total: Array, chunk: tuple[Array, Array]) -> tuple[Array, None]:
            part = replace(self, x=chunk[0], y=chunk[1])
            return total + ACCUMULATED * part.loss_of(part.outputs(weights)), None

        total, _ = jax.lax.scan(add, jnp.zeros((), weights[0].dtype), tuple(chunks))
        if whole < samples:
            rest = self.at(slice(whole, None))
            total += (samples - whole) * rest.loss_of(rest.outputs(weights))
        return total / samples

    def loss_of(self, outputs: Array) -> Array:
        """Loss of the outputs for all samples."""
        return loss_value(self.kind, outputs, self.y, self.loss_divisor)

    def point(self, weights: tuple[Array, ...]) -> Point:
        """Value and gradient."""
        return Point(weights, *jax.value_and_grad(self.loss)(weights))

    @property
    def outputs_of_a_sample(self) -> int:
        """Numbers that the network gives for one."""
        return math.prod(self.network.output_shape)

    @property
    def weight_of_sample(self) -> Array:
        """1 / (loss_divisor samples): what half a square of a residual counts in the loss."""
        return 1 / (self.loss_divisor * len(self.x))

    def counts(self) -> Array:
        """That of each sample."""
        return jnp.full(len(self.x), self.weight_of_sample)

    def gauss_newton(self, weights: tuple[Array, ...]) -> Array:
        """J^T J in the scale of the square loss; see :mod:`normbench.jax.benchmark.least_squares`."""

        def outputs(weights: tuple[Array, ...], x: Array) -> Array:
            return apply(self.network, weights, x[None])[0]

        size = min(WITH_ROWS, len(self.x))
        return gauss_newton(outputs, weights, in_parts(self.x, size), in_parts(self.counts(), size))

    def curve_derivatives(
        self, point: Point, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, by nested forward mode."""

        def along(t: Array) -> Array:
            layers = zip(point.weights, velocity, moving, strict=True)
            return self.loss(tuple(jnp.where(m, w * jnp.cos(t) + v * jnp.sin(t), w) for w, v, m in layers))

        return at_zero(along, jnp.zeros_like(point.loss), order)
