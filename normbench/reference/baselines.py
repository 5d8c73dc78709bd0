"""Adam and SGD as torch.optim and optax define them (arXiv 1412.6980, Algorithm 1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights


@dataclass(frozen=True, eq=False)
class AdamState:
    """First and second moments of every layer, and the number of steps taken."""

    m: Weights
    v: Weights
    count: int


def adam(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Update:
    """W - alpha m_hat / (sqrt(v_hat) + epsilon)  (Algorithm 1)."""

    def step(gradient: Weights, weights: Weights, state: AdamState) -> tuple[Weights, AdamState, float]:
        ratios, new = adam_direction(gradient, state, beta1=beta1, beta2=beta2, epsilon=epsilon)
        return tuple(W - learning_rate * u for W, u in zip(weights, ratios, strict=True)), new, learning_rate

    return Update(adam_start, step)


def adam_start(objective: Any, weights: Weights) -> AdamState:
    """Moments of zero."""
    return AdamState(_zeros(weights), _zeros(weights), 0)


def adam_direction(
    gradient: Weights, state: AdamState, *, beta1: float, beta2: float, epsilon: float
) -> tuple[Weights, AdamState]:
    """m_hat / (sqrt(v_hat) + epsilon), zero where both are, and the new moments."""
    count = state.count + 1
    m = tuple(beta1 * m + (1 - beta1) * g for m, g in zip(state.m, gradient, strict=True))
    v = tuple(beta2 * v + (1 - beta2) * g**2 for v, g in zip(state.v, gradient, strict=True))
    ratios = []
    for m_k, v_k in zip(m, v, strict=True):
        m_hat = m_k / (1 - beta1**count)
        v_hat = v_k / (1 - beta2**count)
        denominator = np.sqrt(v_hat) + epsilon  # NaN is not zero: it shows
        ratios.append(np.divide(m_hat, denominator, out=np.zeros_like(m_hat), where=denominator != 0))
    return tuple(ratios), AdamState(m, v, count)


def sgd(*, learning_rate: float, momentum: float) -> Update:
    """b = momentum b + g;  W = W - learning_rate b."""

    def init(objective: Any, weights: Weights) -> Weights:
        return _zeros(weights)

    def step(gradient: Weights, weights: Weights, buffer: Weights) -> tuple[Weights, Weights, float]:
        buffer = tuple(momentum * b + g for b, g in zip(buffer, gradient, strict=True))
        return tuple(W - learning_rate * b for W, b in zip(weights, buffer, strict=True)), buffer, learning_rate

    return Update(init, step)


sgd_momentum = sgd


def _zeros(weights: Weights) -> Weights:
    return tuple(np.zeros_like(w) for w in weights)
