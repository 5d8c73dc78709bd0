"""Constrained Scion in JAX (arXiv 2502.07529): steps towards the corner of the ball that the averages point to."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.updates.polar_average import moved
from normbench.specs.scion import LEAST

Arrays = tuple[Array, ...]


def scion(*, learning_rate: Array, momentum: Array) -> Update:
    """m = momentum m + (1 - momentum) G;  P = (1 - learning_rate) P - learning_rate polar(m)  (SCG)."""

    def init(objective: Any, variables: Arrays) -> Arrays:
        return tuple(jnp.zeros_like(P) for P in variables)

    def step(gradient: Arrays, variables: Arrays, state: Arrays) -> tuple[Arrays, Arrays, Array]:
        m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(state, gradient, strict=True))
        P = tuple(moved(p, a, learning_rate, least=LEAST) for p, a in zip(variables, m, strict=True))
        return P, m, learning_rate

    return Update(init, step)
