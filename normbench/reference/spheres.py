"""Direction and geometry of methods 1 and 2: steepest descent along geodesics of the product of spheres.

arXiv 2312.10672, eq. 5-6. How far to go is the search of each method.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from normbench.problems.problem import Weights

RESTING_TOLERANCE = 10 * np.finfo(np.float64).eps


class Directions(NamedTuple):
    """Tangent velocities mu_i V_i, zero where a layer rests, and alpha, beta of eq. 23 over the layers that move.

    alpha = sum <G_i, W_i>,   beta = -sum <G_i, mu_i V_i> = -L'(0)     (eq. 8)
    """

    velocity: Weights
    alpha: float
    beta: float


def radii(weights: Weights) -> tuple[float, ...]:
    """mu_i = ||W_i||_F of every layer."""
    return tuple(float(np.linalg.norm(w)) for w in weights)


def directions(gradient: Weights, weights: Weights, mu: tuple[float, ...]) -> Directions:
    """Unit tangents of steepest descent on all spheres, times the radii."""
    V = tuple(direction(G, W, radius=r) for G, W, r in zip(gradient, weights, mu, strict=True))
    alpha = beta = 0.0
    for G, W, v, r in zip(gradient, weights, V, mu, strict=True):
        if v.any():
            alpha += float(np.vdot(G, W))
            beta -= r * float(np.vdot(G, v))
    return Directions(tuple(r * v for r, v in zip(mu, V, strict=True)), alpha, beta)


def direction(gradient: np.ndarray, weight: np.ndarray, *, radius: float) -> np.ndarray:
    """Unit tangent of steepest descent on one sphere.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    Returns
    -------
    array, shape (fan_out, fan_in)
        V, or zeros where the projection vanishes up to rounding, or the weight is zero and has no sphere: the layer
        rests.
    """
    if radius == 0.0 and np.isfinite(gradient).all():
        return np.zeros_like(weight)
    tangent = gradient - np.vdot(weight, gradient) * weight / radius**2
    size = np.linalg.norm(tangent)
    if size <= RESTING_TOLERANCE * np.linalg.norm(gradient):
        return np.zeros_like(weight)
    return -tangent / size


def geodesic(weights: Weights, along: Directions, mu: tuple[float, ...]) -> Callable[[float], Weights]:
    """The curve Gamma(t) of all layers, as a function of t in radians."""

    def curve(angle: float) -> Weights:
        layers = zip(weights, along.velocity, mu, strict=True)
        return tuple(exponential_map(W, velocity, angle, radius=r) for W, velocity, r in layers)

    return curve


def exponential_map(weight: np.ndarray, velocity: np.ndarray, angle: float, *, radius: float) -> np.ndarray:
    """Point on the sphere of Frobenius radius ``radius`` reached by ``angle`` with ``velocity``.

    Gamma(t) = W cos t + mu V sin t        (eq. 5), then scaled back to the radius against rounding

    Parameters
    ----------
    weight : array, shape (fan_out, fan_in)
        W, with ||W||_F = radius.
    velocity : array, shape (fan_out, fan_in)
        mu V, of norm mu and tangent at W, or zero: then W itself is returned.
    angle : float
        t, in radians.
    radius : float
        mu.
    """
    if not velocity.any():
        return weight
    point = weight * np.cos(angle) + velocity * np.sin(angle)
    return point * (radius / np.linalg.norm(point))


def curve_coefficient(weight: np.ndarray, velocity: np.ndarray, k: int) -> np.ndarray:
    """k-th Taylor coefficient of W cos t + mu V sin t, or of the constant W where the layer rests."""
    if k == 0:
        return weight
    if not velocity.any():
        return np.zeros_like(weight)
    sign = (-1) ** (k // 2)
    return sign * (velocity if k % 2 else weight) / math.factorial(k)
