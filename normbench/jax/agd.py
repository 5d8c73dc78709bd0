"""Automatic gradient descent in JAX (arXiv 2304.05187, Algorithm 1, Theorem 2)."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from normbench.jax.spheres import Arrays, norm


def agd(gradient: Sequence[Array], weights: Sequence[Array]) -> tuple[Arrays, Array]:
    """W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F; returns the weights and eta.

    eta = log((1 + sqrt(1 + 4 G)) / 2),   G = (1/L) sum_k sqrt(d_k / d_{k-1}) ||G_k||_F
    """
    depth = len(weights)
    gains = [math.sqrt(w.shape[0] / w.shape[1]) for w in weights]
    sizes = [norm(g) for g in gradient]
    summary = sum(gain * size for gain, size in zip(gains, sizes, strict=True)) / depth
    eta = jnp.log1p(2 * summary / (1 + jnp.sqrt(1 + 4 * summary)))
    moved = tuple(
        jnp.where(size > 0, w - g * (eta / depth * gain / jnp.where(size > 0, size, 1)), w)
        for g, w, gain, size in zip(gradient, weights, gains, sizes, strict=True)
    )
    return moved, eta
