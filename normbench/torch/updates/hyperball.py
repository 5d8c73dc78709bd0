"""Hyperball in torch (arXiv 2606.16899): Muon and Adam with weights and steps of fixed Frobenius norms."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.specs.scion import LEAST
from normbench.torch.norms import exact_norm
from normbench.torch.updates.baselines import Moments, adam_direction, adam_start
from normbench.torch.updates.muon_cap import nesterov
from normbench.torch.updates.polar_average import polar

Tensors = Sequence[Tensor]
State = tuple[list[float], Any]  # radii, and what the direction carries


def muonh(*, learning_rate: float, momentum: float) -> Update:
    """u = polar of Nesterov's direction."""

    def begin(weights: Tensors) -> list[Tensor]:
        return [torch.zeros_like(W) for W in weights]

    def direction(gradient: Tensors, m: Tensors) -> tuple[list[Tensor], list[Tensor]]:
        u, averages = nesterov(gradient, m, momentum)
        return [_polar(d) for d in u], averages

    return hyperball(begin, direction, learning_rate)


def adamh(*, learning_rate: float, beta1: float, beta2: float, epsilon: float) -> Update:
    """u = m_hat / (sqrt(v_hat) + epsilon)."""

    def direction(gradient: Tensors, state: Moments) -> tuple[list[Tensor], Moments]:
        return adam_direction(gradient, state, beta1=beta1, beta2=beta2, epsilon=epsilon)

    return hyperball(adam_start, direction, learning_rate)


def hyperball(
    begin: Callable[[Tensors], Any], direction: Callable[[Tensors, Any], tuple[list[Tensor], Any]], learning_rate: float
) -> Update:
    """R = ||W||_F at the start;  W = R normalised(W - learning_rate R normalised(u))."""

    def init(objective: Any, weights: Tensors) -> State:
        return [float(exact_norm(W)) for W in weights], begin(weights)

    def step(gradient: Tensors, weights: Tensors, state: State) -> tuple[list[Tensor], State, float]:
        radii, carried = state
        u, carried = direction(gradient, carried)
        W = [moved(W, d, R, learning_rate) for W, d, R in zip(weights, u, radii, strict=True)]
        return W, (radii, carried), learning_rate

    return Update(init, step)


def moved(W: Tensor, u: Tensor, radius: float, learning_rate: float) -> Tensor:
    """R normalised(W - learning_rate R normalised(u)), or W where u or R is zero."""
    if not (u.any() and radius):  # NaN is not zero: it moves, and shows
        return W
    there = W - u * (learning_rate * radius / exact_norm(u)).to(u.dtype)
    return there * (radius / exact_norm(there)).to(W.dtype)


def _polar(u: Tensor) -> Tensor:
    """Polar factor of a matrix, or of a kernel as (channels_out, channels_in size^2); NaN where u is not finite."""
    return polar(u.flatten(1), least=LEAST).view_as(u) if u.isfinite().all() else torch.full_like(u, torch.nan)
