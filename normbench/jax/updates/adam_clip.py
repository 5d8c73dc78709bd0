"""Adam with spectral clipping in JAX (arXiv 1811.08027): matrices beyond the spectral ball are scaled to it."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.updates.baselines import adam_direction
from normbench.jax.updates.decompositions import svdvals
from normbench.jax.updates.muon_cap import ROOM

Arrays = tuple[Array, ...]


def adam_clip(*, learning_rate: Array, beta1: Array, beta2: Array, epsilon: Array) -> Update:
    """P = clip(P - learning_rate u), u of :func:`adam_direction`."""
    scaled = adam_direction(beta1=beta1, beta2=beta2, epsilon=epsilon)

    def init(objective: Any, variables: Arrays) -> Any:
        return scaled.init(variables)

    def step(gradient: Arrays, variables: Arrays, state: Any) -> tuple[Arrays, Any, Array]:
        u, new = scaled.update(gradient, state)
        return tuple(moved(P, d, learning_rate) for P, d in zip(variables, u, strict=True)), new, learning_rate

    return Update(init, step)


def moved(P: Array, u: Array, learning_rate: Array) -> Array:
    """clip(P - learning_rate u), or P where u is zero."""
    return jnp.where((u == 0).all(), P, clip(P - learning_rate * u))  # NaN is not zero: it moves, and shows


def clip(P: Array) -> Array:
    """P / max(1, ||P||_op), and in the ball P keeps its bits; NaN where it is not finite."""
    ceiling = 1 - ROOM * jnp.finfo(P.dtype).eps
    return P / jnp.maximum(1, svdvals(P)[0] / ceiling)
