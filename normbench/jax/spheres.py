"""Geometry of the product of spheres in JAX: directions and the exponential map (arXiv 2312.10672, eq. 5-6)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

Arrays = tuple[Array, ...]


class Directions(NamedTuple):
    """Tangent velocities mu_i V_i, which layers move, and alpha, beta of eq. 23 over those that do."""

    velocity: Arrays
    moving: Arrays
    alpha: Array
    beta: Array


def norm(x: Array) -> Array:
    """Frobenius norm."""
    return jnp.sqrt(jnp.sum(jnp.square(x)))


def radii(weights: Sequence[Array]) -> Arrays:
    """mu_i = ||W_i||_F of every layer."""
    return tuple(norm(w) for w in weights)


def directions(gradient: Sequence[Array], weights: Sequence[Array], mu: Sequence[Array]) -> Directions:
    """Unit tangents of steepest descent, times the radii.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    A layer whose projection vanishes up to rounding rests: its velocity is zero.
    """
    velocity, moving = [], []
    alpha = beta = jnp.zeros((), gradient[0].dtype)
    tolerance = 10 * jnp.finfo(gradient[0].dtype).eps
    for g, w, r in zip(gradient, weights, mu, strict=True):
        along = jnp.sum(w * g)
        tangent = g - w * (along / jnp.where(r > 0, r, 1) ** 2)
        size = norm(tangent)
        # written so that NaN moves, and is seen as a diverged loss at the next point; a zero weight has no sphere
        moves = ~(size <= tolerance * norm(g)) & (r > 0)
        velocity.append(jnp.where(moves, tangent * (-r / jnp.where(moves, size, 1)), 0))
        moving.append(moves)
        alpha += jnp.where(moves, along, 0)
        beta += jnp.where(moves, r * size, 0)
    return Directions(tuple(velocity), tuple(moving), alpha, beta)


def exponential_map(weights: Sequence[Array], along: Directions, angle: Array, mu: Sequence[Array]) -> Arrays:
    """Gamma_i(t) = W_i cos t + mu_i V_i sin t (eq. 5), scaled back to the radius against rounding."""
    moved = []
    for weight, velocity, moves, radius in zip(weights, along.velocity, along.moving, mu, strict=True):
        point = weight * jnp.cos(angle) + velocity * jnp.sin(angle)
        moved.append(jnp.where(moves, point * (radius / norm(point)), weight))
    return tuple(moved)
