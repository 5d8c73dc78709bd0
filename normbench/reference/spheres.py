"""Geometry of the product of spheres: tangent directions and the exponential map (arXiv 2312.10672, eq. 5-6)."""

import numpy as np

from normbench.problems.problem import Weights

RESTING_TOLERANCE = 10 * np.finfo(np.float64).eps


def radii(weights: Weights) -> tuple[float, ...]:
    """mu_i = ||W_i||_F of every layer."""
    return tuple(float(np.linalg.norm(w)) for w in weights)


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


def exponential_map(weight: np.ndarray, direction: np.ndarray, angle: float, *, radius: float) -> np.ndarray:
    """Point on the sphere of Frobenius radius ``radius`` reached by ``angle`` along ``direction``.

    Gamma(t) = W cos t + mu V sin t        (eq. 5), then scaled back to the radius against rounding

    Parameters
    ----------
    weight : array, shape (fan_out, fan_in)
        W, with ||W||_F = radius.
    direction : array, shape (fan_out, fan_in)
        V, of unit norm and tangent at W, or zero: then W itself is returned.
    angle : float
        t, in radians.
    radius : float
        mu.
    """
    if not direction.any():
        return weight
    point = weight * np.cos(angle) + radius * direction * np.sin(angle)
    return point * (radius / np.linalg.norm(point))


def slopes(gradient: Weights, weights: Weights, directions: Weights, mu: tuple[float, ...]) -> tuple[float, float]:
    """alpha and beta of eq. 23 over the layers that move.

    alpha = sum <G_i, W_i>,   beta = -sum <G_i, mu_i V_i> = -L'(0)     (eq. 8)
    """
    alpha = beta = 0.0
    for G, W, V, radius in zip(gradient, weights, directions, mu, strict=True):
        if V.any():
            alpha += float(np.vdot(G, W))
            beta -= radius * float(np.vdot(G, V))
    return alpha, beta
