"""Method 2 and its exponential variant: majorisation-minimisation steps (arXiv 2312.10672, eq. 22-23, Algorithm 3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.spheres import directions, geodesic, radii


class MajorantState(NamedTuple):
    """Radii mu_i, and Q = curvature gain^2 mean ||x||^2 of the training inputs."""

    mu: tuple[float, ...]
    Q: float


def method2() -> Update:
    """Steepest descent along the geodesic, to the minimiser of the sinusoidal majorant (Algorithm 3).

    A kernel (d_k, d_{k-1}, height, width) counts as the matrix (d_k, d_{k-1} height width) that multiplies patches;
    what taking patches and pooling does to norms is part of Q. The step size is tau in radians.
    """

    def step(gradient: Weights, weights: Weights, state: MajorantState) -> tuple[Weights, MajorantState, float]:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        spheres = [k for k, radius in enumerate(state.mu) if radius != 0.0]  # of the others nothing is in the products
        W, velocity = (_unfolded([layers[k] for k in spheres]) for layers in (weights, along.velocity))
        majorant = Majorant(along.alpha, along.beta, state.Q, W, velocity)
        tau = majorant.minimiser()
        return curve(tau), state, tau

    return Update(_start, step)


def method2_exp() -> Update:
    """Steepest descent along the geodesic, to the minimiser of the exponential majorant; the step size is tau."""

    def step(gradient: Weights, weights: Weights, state: MajorantState) -> tuple[Weights, MajorantState, float]:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        tau = exponential_angle(along.beta, state.mu, state.Q)
        return curve(tau), state, tau

    return Update(_start, step)


def _start(objective: Any, weights: Weights) -> MajorantState:
    return MajorantState(radii(weights), objective.majorant_scale)


@dataclass(frozen=True)
class Majorant:
    """alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2 along one curve (eq. 22), without the constant L(w)."""

    alpha: float
    beta: float
    Q: float
    weights: Weights
    velocity: Weights

    def _perturbation(self, t: float) -> tuple[list[float], list[float]]:
        """||dGamma_i(t)||_op of every layer and its derivative u^T dGamma_i'(t) v, with u, v its top singular pair."""
        sizes, rates = [], []
        for W, speed in zip(self.weights, self.velocity, strict=True):
            if not speed.any():
                sizes.append(0.0)
                rates.append(0.0)
                continue
            # dGamma = W (cos t - 1) + mu V sin t = 2 sin(t/2) (cos(t/2) mu V - sin(t/2) W): no cancellation at small t
            half = t / 2
            inner = math.cos(half) * speed - math.sin(half) * W
            u, s, vt = np.linalg.svd(inner, full_matrices=False)
            slope = u[:, 0] @ (-math.sin(half) * speed - math.cos(half) * W) @ vt[0] / 2
            sizes.append(2 * math.sin(half) * s[0])
            rates.append(math.cos(half) * s[0] + 2 * math.sin(half) * slope)
        return sizes, rates

    def _products(self, t: float) -> tuple[float, float]:
        """P1(t) - P2 and P1'(t) of eq. 23."""
        norms = [float(np.linalg.norm(W, 2)) for W in self.weights]
        sizes, rates = self._perturbation(t)
        P2 = math.prod(norms)
        difference = P2 * math.expm1(sum(math.log1p(d / n) for d, n in zip(sizes, norms, strict=True)))
        relative = sum(r / (n + d) for r, d, n in zip(rates, sizes, norms, strict=True))
        return difference, (P2 + difference) * relative

    def value(self, t: float) -> float:
        """The majorant at t, relative to its value at 0."""
        difference, _ = self._products(t)
        return self.alpha * (math.cos(t) - 1) - self.beta * math.sin(t) + self.Q / 2 * difference**2

    def derivative(self, t: float) -> float:
        """d/dt of :meth:`value`."""
        difference, rate = self._products(t)
        return -self.alpha * math.sin(t) - self.beta * math.cos(t) + self.Q * difference * rate

    def minimiser(self) -> float:
        """First zero of the derivative on [0, pi], to the last digit; pi where the majorant falls throughout.

        NaN where something is not finite.
        """
        numbers = [np.isfinite([self.alpha, self.beta, self.Q]), *map(np.isfinite, self.weights)]
        if not all(finite.all() for finite in numbers):
            return math.nan
        if self.beta <= 0.0:
            return 0.0
        upper = min(math.pi, 1e-8)
        while self.derivative(upper) < 0.0:
            if upper == math.pi:
                return math.pi
            upper = min(math.pi, 1.5 * upper)
        from scipy.optimize import brentq  # takes a second; no other optimiser needs it

        return float(brentq(self.derivative, 0.0, upper, xtol=1e-300, rtol=4 * np.finfo(float).eps))


def exponential_angle(beta: float, mu: Sequence[float], Q: float) -> float:
    """tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,   P = prod mu_i."""
    mu = [radius for radius in mu if radius != 0.0]  # a layer of zeros has no sphere
    if not mu:
        return beta  # 0, or NaN
    depth = len(mu)
    ratio = 4 * beta / (math.prod(mu) ** 2 * Q * depth)
    # (1 + sqrt(1 + c)) / 2 = 1 + c / (2 (1 + sqrt(1 + c))): the log keeps its digits at small c
    return math.log1p(ratio / (2 * (1 + math.sqrt(1 + ratio)))) / depth


def _unfolded(weights: Sequence[np.ndarray]) -> Weights:
    return tuple(W.reshape(len(W), -1) for W in weights)
