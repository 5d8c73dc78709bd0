"""Automatic gradient descent in JAX (arXiv 2304.05187, Algorithm 1, Theorem 2; for kernels section 3.3, appendix B)."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update, stateless
from normbench.jax.norms import norm
from normbench.jax.updates.spheres import Arrays


def agd() -> Update:
    """W_k - (eta / L) gain_k G_k / ||G_k||_F, every (d_k, d_{k-1}) matrix of a kernel by its own norm.

    eta = log((1 + sqrt(1 + 4 G)) / 2),   G = (1/L) sum_k gain_k ||G_k||_F, the norms of a kernel summed over places

    Gradients and weights have the shapes (d_k, d_{k-1}) or (d_k, d_{k-1}, height, width); the step size is eta.
    """

    def step(gradient: Sequence[Array], weights: Sequence[Array], state: tuple[()]) -> tuple[Arrays, tuple[()], Array]:
        depth = len(weights)
        gains = [gain(w) for w in weights]
        sizes = [norm(g, axes=(0, 1)) for g in gradient]
        summary = sum(factor * jnp.sum(size) for factor, size in zip(gains, sizes, strict=True)) / depth
        eta = jnp.log1p(2 * summary / (1 + jnp.sqrt(1 + 4 * summary)))
        moved = tuple(  # NaN is not zero: it shows
            jnp.where(size == 0, w, w - g * (eta / depth * factor / jnp.where(size == 0, 1, size)))
            for g, w, factor, size in zip(gradient, weights, gains, sizes, strict=True)
        )
        return moved, state, eta

    return Update(stateless, step)


def gain(weight: Array) -> float:
    """sqrt(d_k / d_{k-1}), divided by sqrt(height width) for a kernel: the singular value at the start."""
    return math.sqrt(weight.shape[0] / weight.shape[1] / math.prod(weight.shape[2:]))
