"""Method 1: a Hessian-free step along the geodesic (arXiv 2312.10672, eq. 5-8 and Algorithm 2)."""

import math

import numpy as np

from normbench.problems.problem import Weights
from normbench.reference.perceptron import Objective
from normbench.reference.spheres import direction, exponential_map


def method1(
    objective: Objective,
    loss: float,
    gradient: Weights,
    weights: Weights,
    mu: tuple[float, ...],
    *,
    order: int,
    trust_region: float,
    max_halvings: int,
) -> tuple[Weights, float, float, int]:
    """One iteration; ``loss`` is the objective at ``weights``.

    Returns
    -------
    weights, loss : the accepted point and its loss
    tau : float
        Step in radians; 0 if no step was accepted; NaN if the loss or a derivative at the start is not finite.
    halvings : int
    """
    V = tuple(direction(G, W, radius=r) for G, W, r in zip(gradient, weights, mu, strict=True))
    velocity = tuple(r * v for r, v in zip(mu, V, strict=True))
    derivatives = objective.curve_derivatives(weights, velocity, order)
    tau = step_size(derivatives, trust_region=trust_region)
    if tau == 0.0:
        return weights, loss, 0.0, 0
    known = np.isfinite([loss, *derivatives]).all()
    if not known:  # shown by the weights: nothing is halved
        tau = math.nan
    for halvings in range(max_halvings + 1):
        trial = tuple(exponential_map(W, v, tau, radius=r) for W, v, r in zip(weights, V, mu, strict=True))
        trial_loss = objective.loss(trial)
        if trial_loss <= loss or max_halvings == 0 or not known:
            return trial, trial_loss, tau, halvings
        tau /= 2
    return weights, loss, 0.0, max_halvings


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
