"""Hyperball in JAX (arXiv 2606.16899): Muon and Adam with weights and steps of fixed Frobenius norms."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.norms import norm
from normbench.jax.updates.baselines import adam_direction
from normbench.jax.updates.muon_cap import nesterov
from normbench.jax.updates.polar_average import polar
from normbench.specs.scion import LEAST

Arrays = tuple[Array, ...]
State = tuple[Arrays, Any]  # radii, and what the direction carries


def muonh(*, learning_rate: Array, momentum: Array) -> Update:
    """u = polar of Nesterov's direction."""

    def begin(weights: Arrays) -> Arrays:
        return tuple(jnp.zeros_like(W) for W in weights)

    def direction(gradient: Arrays, m: Arrays) -> tuple[Arrays, Arrays]:
        u, averages = nesterov(gradient, m, momentum)
        return tuple(map(_polar, u)), averages

    return hyperball(begin, direction, learning_rate)


def adamh(*, learning_rate: Array, beta1: Array, beta2: Array, epsilon: Array) -> Update:
    """u = m_hat / (sqrt(v_hat) + epsilon), by optax."""
    scaled = adam_direction(beta1=beta1, beta2=beta2, epsilon=epsilon)
    return hyperball(scaled.init, scaled.update, learning_rate)


def hyperball(
    begin: Callable[[Arrays], Any], direction: Callable[[Arrays, Any], tuple[Arrays, Any]], learning_rate: Array
) -> Update:
    """R = ||W||_F at the start;  W = R normalised(W - learning_rate R normalised(u))."""

    def init(objective: Any, weights: Arrays) -> State:
        return tuple(map(norm, weights)), begin(weights)

    def step(gradient: Arrays, weights: Arrays, state: State) -> tuple[Arrays, State, Array]:
        radii, carried = state
        u, carried = direction(gradient, carried)
        W = tuple(moved(W, d, R, learning_rate) for W, d, R in zip(weights, u, radii, strict=True))
        return W, (radii, carried), learning_rate

    return Update(init, step)


def moved(W: Array, u: Array, radius: Array, learning_rate: Array) -> Array:
    """R normalised(W - learning_rate R normalised(u)), or W where u or R is zero."""
    rests = (u == 0).all() | (radius == 0)  # NaN is not zero: it moves, and shows
    there = W - learning_rate * radius * (u / jnp.where(rests, 1, norm(u)))
    return jnp.where(rests, W, there * (radius / jnp.where(rests, 1, norm(there))))


def _polar(u: Array) -> Array:
    """Polar factor of a matrix, or of a kernel as (channels_out, channels_in size^2)."""
    return polar(u.reshape(len(u), -1), least=LEAST).reshape(u.shape)
