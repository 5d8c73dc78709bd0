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


def directions(
    gradient: Sequence[Array], weights: Sequence[Array], mu: Sequence[Array], straight: Sequence[bool] = ()
) -> Directions:
    """Unit tangents of steepest descent, times the radii.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    A layer whose projection vanishes up to rounding rests: its velocity is zero. The layers marked in ``straight``, by
    default none, lie on no sphere: there V = -G / ||G||.
    """
    velocity, moving = [], []
    alpha = beta = jnp.zeros((), gradient[0].dtype)
    tolerance = 10 * jnp.finfo(gradient[0].dtype).eps
    for g, w, r, line in zip(gradient, weights, mu, _flags(straight, weights), strict=True):
        along = jnp.sum(w * g)
        tangent = g if line else g - w * (along / jnp.where(r > 0, r, 1) ** 2)
        size = norm(tangent)
        # written so that NaN moves, and is seen as a diverged loss at the next point; a zero weight has no sphere
        moves = ~(size <= tolerance * norm(g)) & (r > 0)
        velocity.append(jnp.where(moves, tangent * (-r / jnp.where(moves, size, 1)), 0))
        moving.append(moves)
        alpha += jnp.where(moves, along, 0)
        beta += jnp.where(moves, r * size, 0)
    return Directions(tuple(velocity), tuple(moving), alpha, beta)


def exponential_map(
    weights: Sequence[Array], along: Directions, angle: Array, mu: Sequence[Array], straight: Sequence[bool] = ()
) -> Arrays:
    """Gamma_i(t) = W_i cos t + mu_i V_i sin t (eq. 5), scaled back to the radius against rounding.

    The layers marked in ``straight``, by default none, move on a line: Gamma_i(t) = W_i + t mu_i V_i.
    """
    moved = []
    layers = zip(weights, along.velocity, along.moving, mu, _flags(straight, weights), strict=True)
    for weight, velocity, moves, radius, line in layers:
        point = curve_point(weight, velocity, angle, straight=line)
        moved.append(jnp.where(moves, point if line else point * (radius / norm(point)), weight))
    return tuple(moved)


def curve_point(weight: Array, velocity: Array, angle: Array, *, straight: bool) -> Array:
    """W cos t + Z sin t, or W + t Z on a straight line."""
    return weight + velocity * angle if straight else weight * jnp.cos(angle) + velocity * jnp.sin(angle)


def _flags(straight: Sequence[bool], weights: Sequence[Array]) -> Sequence[bool]:
    return straight or (False,) * len(weights)
