"""Muon with a spectral cap in JAX (arXiv 2507.13338): its step, then singular values above 1 are set to 1."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.products import matmul
from normbench.jax.updates.decompositions import svd
from normbench.jax.updates.polar_average import polar
from normbench.specs.scion import LEAST

Arrays = tuple[Array, ...]

ROOM = 16  # below 1, in units of eps: for the rounding of the decomposition


def muon_cap(*, learning_rate: Array, momentum: Array) -> Update:
    """P = cap(P - learning_rate polar(u)), u of :func:`nesterov`."""

    def init(objective: Any, variables: Arrays) -> Arrays:
        return tuple(jnp.zeros_like(P) for P in variables)

    def step(gradient: Arrays, variables: Arrays, state: Arrays) -> tuple[Arrays, Arrays, Array]:
        u, m = nesterov(gradient, state, momentum)
        return tuple(moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)), m, learning_rate

    return Update(init, step)


def nesterov(gradient: Arrays, m: Arrays, momentum: Array) -> tuple[Arrays, Arrays]:
    """u = (1 - momentum) G + momentum m  after  m = momentum m + (1 - momentum) G: direction and averages."""
    m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(m, gradient, strict=True))
    return tuple((1 - momentum) * g + momentum * a for a, g in zip(m, gradient, strict=True)), m


def moved(P: Array, u: Array, learning_rate: Array) -> Array:
    """cap(P - learning_rate polar(u)), or P where u is zero; NaN where one of them is not finite."""
    return jnp.where((u == 0).all() & jnp.isfinite(P).all(), P, cap(P - learning_rate * polar(u, least=LEAST)))


def cap(P: Array) -> Array:
    """P - U max(s - 1, 0) V^T: singular values above 1 become 1, and if there is none P keeps its bits."""
    left, values, right = svd(P)
    ceiling = 1 - ROOM * jnp.finfo(P.dtype).eps
    return P - matmul(left * jnp.maximum(values - ceiling, 0), right)
