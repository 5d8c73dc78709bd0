"""Method 1: a Hessian-free step along the geodesic (arXiv 2312.10672, eq. 5-8 and Algorithm 2)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from normbench.backends.method import Method, Step
from normbench.problems.problem import Weights
from normbench.reference.network import Objective, Point
from normbench.reference.spheres import directions, geodesic, radii

Radii = tuple[float, ...]


def method1(*, order: int, trust_region: float, max_halvings: int) -> Method:
    """Steepest descent along the geodesic, to the minimum of the Taylor polynomial, with the loss kept monotone.

    The step size is tau in radians: 0 if no step was accepted, NaN if the loss or a derivative at the start is not
    finite.
    """

    def init(objective: Any, weights: Weights) -> Radii:
        return radii(weights)

    def step(objective: Objective, point: Point, mu: Radii) -> Step:
        along = directions(objective.gradient(point.weights), point.weights, mu)
        curve = geodesic(point.weights, along, mu)
        derivatives = objective.curve_derivatives(point.weights, along.velocity, order)
        tau = step_size(derivatives, trust_region=trust_region)
        if tau != 0.0 and not np.isfinite([point.loss, *derivatives]).all():
            return Step(objective.point(curve(math.nan)), mu, math.nan)  # shown by the weights: nothing is halved
        return descend(objective, point, curve, tau, max_halvings)._replace(state=mu)

    return Method(init, step)


def descend(
    objective: Objective, point: Point, curve: Callable[[float], Weights], tau: float, max_halvings: int
) -> Step:
    """Halve tau until the loss does not exceed that of ``point``, which is kept where it never does."""
    if tau == 0.0:
        return Step(point, None, 0.0, evaluations=0)
    for halvings in range(max_halvings + 1):
        trial = objective.point(curve(tau))
        if trial.loss <= point.loss or max_halvings == 0:
            return Step(trial, None, tau, halvings + 1, halvings)
        tau /= 2
    return Step(point, None, 0.0, max_halvings + 1, max_halvings)


def step_size(derivatives: list[float], *, trust_region: float) -> float:
    """tau from L'(0), L''(0), ...: Algorithm 2 at order 2, else the minimum of the polynomial on [0, eps]."""
    if len(derivatives) == 2:
        return algorithm2(*derivatives, trust_region=trust_region)
    return minimise_polynomial(derivatives, trust_region=trust_region)


def algorithm2(first: float, second: float, *, trust_region: float) -> float:
    """Algorithm 2: the extreme point t* = -L'(0) / L''(0) if it lies in the trust region, else its edge."""
    if second == 0.0:
        return 0.0 if first == 0.0 else trust_region
    extreme = -first / second
    return extreme if 0.0 <= extreme <= trust_region else trust_region


def minimise_polynomial(derivatives: list[float], *, trust_region: float) -> float:
    """Global minimiser on [0, eps] of sum_k L^(k)(0) t^k / k!, from the roots of its derivative."""
    if not np.isfinite(derivatives).all():
        return trust_region
    coefficients = [d / math.factorial(k + 1) for k, d in enumerate(derivatives)]
    polynomial = np.polynomial.Polynomial([0.0, *coefficients])
    roots = polynomial.deriv().trim().roots()
    real = roots.real[np.abs(roots.imag) <= 1e-9 * np.maximum(np.abs(roots.real), trust_region * 1e-6)]
    inside = real[(real > 0) & (real < trust_region)]
    candidates = np.concatenate(([0.0, trust_region], inside))
    return float(candidates[np.argmin(polynomial(candidates))])
