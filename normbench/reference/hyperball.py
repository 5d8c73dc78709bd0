"""Hyperball (arXiv 2606.16899): Muon and Adam with weights and steps of fixed Frobenius norms."""

from collections.abc import Callable
from typing import Any

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.baselines import adam_direction, adam_start
from normbench.reference.muon_cap import nesterov
from normbench.reference.polar_average import polar
from normbench.specs.scion import LEAST

State = tuple[list[float], Any]  # radii, and what the direction carries


def muonh(*, learning_rate: float, momentum: float) -> Update:
    """u = polar of Nesterov's direction."""

    def begin(objective: Any, weights: Weights) -> Weights:
        return tuple(np.zeros_like(W) for W in weights)

    def direction(gradient: Weights, m: Weights) -> tuple[Weights, Weights]:
        u, m = nesterov(gradient, m, momentum)
        return tuple(map(_polar, u)), m

    return hyperball(begin, direction, learning_rate)


def adamh(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Update:
    """u = m_hat / (sqrt(v_hat) + epsilon)."""

    def direction(gradient: Weights, state: Any) -> tuple[Weights, Any]:
        return adam_direction(gradient, state, beta1=beta1, beta2=beta2, epsilon=epsilon)

    return hyperball(adam_start, direction, learning_rate)


def hyperball(
    begin: Callable[[Any, Weights], Any], direction: Callable[[Weights, Any], tuple[Weights, Any]], learning_rate: float
) -> Update:
    """R = ||W||_F at the start;  W = R normalised(W - learning_rate R normalised(u))."""

    def init(objective: Any, weights: Weights) -> State:
        return [float(np.linalg.norm(W)) for W in weights], begin(objective, weights)

    def step(gradient: Weights, weights: Weights, state: State) -> tuple[Weights, State, float]:
        radii, carried = state
        u, carried = direction(gradient, carried)
        W = tuple(moved(W, d, R, learning_rate) for W, d, R in zip(weights, u, radii, strict=True))
        return W, (radii, carried), learning_rate

    return Update(init, step)


def moved(W: np.ndarray, u: np.ndarray, radius: float, learning_rate: float) -> np.ndarray:
    """R normalised(W - learning_rate R normalised(u)), or W where u or R is zero."""
    if not (u.any() and radius):  # NaN is not zero: it moves, and shows
        return W
    there = W - learning_rate * radius * (u / np.linalg.norm(u))
    return radius * (there / np.linalg.norm(there))


def _polar(u: np.ndarray) -> np.ndarray:
    """Polar factor of a matrix, or of a kernel as (channels_out, channels_in size^2); NaN where u is not finite."""
    if not np.isfinite(u).all():
        return np.full_like(u, np.nan)
    return polar(u.reshape(len(u), -1), least=LEAST).reshape(u.shape)
