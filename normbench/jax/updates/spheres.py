"""Direction and geometry of methods 1 and 2 in JAX: steepest descent along geodesics of the product of spheres.

arXiv 2312.10672, eq. 5-6. How far to go is the search of each method. Beside the spheres there may be straight
parameters, an extension of ours for biases and gains: they move on straight lines.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from normbench.jax.norms import exponent, norm, plain_norm, power, power_of_two, scaled

Arrays = tuple[Array, ...]


class Directions(NamedTuple):
    """Tangent velocities mu_i V_i, which layers move, and alpha, beta of eq. 23 over those that do.

    alpha and beta are in units of 2^``exponent``, so that products of large weights and gradients are in range.
    """

    velocity: Arrays
    moving: Arrays
    alpha: Array
    beta: Array
    exponent: Array
    scales: Arrays
    """The power of two nearest to every radius."""


def radii(weights: Sequence[Array]) -> Arrays:
    """mu_i = ||W_i||_F of every layer."""
    return tuple(norm(w) for w in weights)


def directions(
    gradient: Sequence[Array], weights: Sequence[Array], mu: Sequence[Array], straight: Sequence[bool] = ()
) -> Directions:
    """Unit tangents of steepest descent, times the radii.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    A layer whose projection vanishes up to rounding rests: its velocity is zero. So does a layer of radius zero, which
    has no sphere. The layers marked in ``straight``, by default none, lie on no sphere: there V = -G / ||G||.
    """
    velocity, moving, slopes, units, scales = [], [], [], [], []
    tolerance = 10 * jnp.finfo(gradient[0].dtype).eps
    for G, W, mu_i, line in zip(gradient, weights, mu, _flags(straight, weights), strict=True):
        scale = power_of_two(mu_i)
        w, r = W * (1 / scale), mu_i * (1 / scale)  # near one, as g is: powers of two leave the bits as they are
        g, unit = scaled(G)
        along = jnp.sum(w * g)
        # from G, not g: a processor that fuses product and difference rounds as it does without the powers of two
        tangent = g if line else (G - w * (along / jnp.where(r > 0, r, 1) ** 2 * unit)) * (1 / unit)
        size = plain_norm(tangent)
        # written so that NaN moves, and is seen as a diverged loss at the next point
        moves = jnp.where(r == 0, ~jnp.isfinite(size), ~(size <= tolerance * plain_norm(g)))
        velocity.append(jnp.where(moves, tangent * (-mu_i / jnp.where(moves, size, 1)), 0))
        moving.append(moves)
        slopes.append((jnp.where(moves, along, 0), jnp.where(moves, r * size, 0)))
        units.append(exponent(scale) + exponent(unit))
        scales.append(scale)
    alpha, beta, whole = _summed(slopes, units, moving)
    return Directions(tuple(velocity), tuple(moving), alpha, beta, whole, tuple(scales))


def _summed(
    slopes: Sequence[tuple[Array, Array]], units: Sequence[Array], moving: Sequence[Array]
) -> tuple[Array, Array, Array]:
    """Sums of pairs of numbers with units 2^k each, in the largest unit of those that move."""
    lowest = -(2**20)
    ranks = jnp.stack([jnp.where(m, k, lowest) for k, m in zip(units, moving, strict=True)])
    largest = jnp.max(ranks)
    whole = jnp.where(largest == lowest, 0, largest)
    alpha = beta = jnp.zeros((), slopes[0][0].dtype)
    for (along, size), k in zip(slopes, units, strict=True):
        factor = power(k - whole, along.dtype)
        alpha += along * factor
        beta += size * factor
    return alpha, beta, whole


def geodesic(
    weights: Sequence[Array], along: Directions, mu: Sequence[Array], straight: Sequence[bool] = ()
) -> Callable[[Array], Arrays]:
    """The curve Gamma_i(t) = W_i cos t + mu_i V_i sin t (eq. 5), scaled back to the radius against rounding.

    A function of t in radians; the layers marked in ``straight``, by default none, go to W_i + t mu_i V_i.
    """

    def curve(angle: Array) -> Arrays:
        moved = []
        layers = zip(weights, along.velocity, along.moving, mu, along.scales, _flags(straight, weights), strict=True)
        for weight, velocity, moves, radius, scale, line in layers:
            point = curve_point(weight, velocity, angle, straight=line)
            if not line:
                inverse = 1 / scale
                point = point * (radius * inverse / plain_norm(point * inverse))
            moved.append(jnp.where(moves, point, weight))
        return tuple(moved)

    return curve


def curve_point(weight: Array, velocity: Array, angle: Array, *, straight: bool) -> Array:
    """W cos t + Z sin t, or W + t Z on a straight line."""
    return weight + velocity * angle if straight else weight * jnp.cos(angle) + velocity * jnp.sin(angle)


def _flags(straight: Sequence[bool], weights: Sequence[Array]) -> Sequence[bool]:
    return straight or (False,) * len(weights)
