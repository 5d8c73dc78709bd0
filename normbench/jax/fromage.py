"""Fromage and LARS in JAX (arXiv 2002.03432, Algorithm 1 and eq. 5)."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from normbench.jax.spheres import Arrays, norm


def norm_bounds(weights: Sequence[Array], p_bound: float | Array | None) -> Arrays:
    """Largest admissible ||W_i||_F: p_bound times the initial norm, or infinity."""
    return tuple(jnp.full((), jnp.inf, w.dtype) if p_bound is None else p_bound * norm(w) for w in weights)


def lars(gradient: Sequence[Array], weights: Sequence[Array], *, learning_rate: float | Array) -> Arrays:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""
    return tuple(_relative_step(g, w, learning_rate) for g, w in zip(gradient, weights, strict=True))


def fromage(
    gradient: Sequence[Array], weights: Sequence[Array], bounds: Sequence[Array], *, learning_rate: float | Array
) -> Arrays:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""
    prefactor = 1 / jnp.sqrt(1 + jnp.square(learning_rate))
    moved = []
    for g, w, bound in zip(gradient, weights, bounds, strict=True):
        new = _relative_step(g, w, learning_rate) * prefactor
        size = norm(new)
        over = size > bound
        new = jnp.where(over, new * (bound / jnp.where(over, size, 1)), new)
        moved.append(jnp.where(norm(g) > 0, new, w))
    return tuple(moved)


def _relative_step(g: Array, w: Array, learning_rate: float | Array) -> Array:
    size, whole = norm(g), norm(w)
    scale = jnp.where(whole > 0, whole / jnp.where(size > 0, size, 1), 1)
    return jnp.where(size > 0, w - g * (learning_rate * scale), w)
