"""Fromage and LARS in JAX (arXiv 2002.03432, Algorithm 1 and eq. 5)."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update, stateless
from normbench.jax.norms import norm, plain_norm, scaled
from normbench.jax.updates.spheres import Arrays


def fromage(*, learning_rate: float | Array, p_bound: float | Array | None) -> Update:
    """[W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)  (Algorithm 1), then ||W||_F clipped to its bound."""

    def init(objective: Any, weights: Sequence[Array]) -> Arrays | None:
        return norm_bounds(weights, p_bound)

    def step(
        gradient: Sequence[Array], weights: Sequence[Array], bounds: Arrays | None
    ) -> tuple[Arrays, Arrays | None, float | Array]:
        prefactor = 1 / jnp.sqrt(1 + jnp.square(learning_rate))
        moved = []
        for k, (g, w) in enumerate(zip(gradient, weights, strict=True)):
            new, still = _relative_step(g, w, learning_rate)
            new = new * prefactor
            if bounds is not None:
                size = norm(new)
                over = size > bounds[k]
                new = jnp.where(over, new * (bounds[k] / jnp.where(over, size, 1)), new)
            moved.append(jnp.where(still, w, new))
        return tuple(moved), bounds, learning_rate

    return Update(init, step)


def lars(*, learning_rate: float | Array) -> Update:
    """W - eta (||W||_F / ||g||_F) g  (eq. 5); W where g = 0, and W - eta g where W = 0."""

    def step(
        gradient: Sequence[Array], weights: Sequence[Array], state: tuple[()]
    ) -> tuple[Arrays, tuple[()], float | Array]:
        pairs = zip(gradient, weights, strict=True)
        return tuple(_relative_step(g, w, learning_rate)[0] for g, w in pairs), state, learning_rate

    return Update(stateless, step)


def norm_bounds(weights: Sequence[Array], p_bound: float | Array | None) -> Arrays | None:
    """Largest admissible ||W_i||_F: p_bound times the initial norm; None for no bound."""
    return None if p_bound is None else tuple(p_bound * norm(w) for w in weights)


def _relative_step(g: Array, w: Array, learning_rate: float | Array) -> tuple[Array, Array]:
    """The step of LARS, and whether the gradient is zero, where nothing moves; NaN is not zero and shows."""
    near_one, power = scaled(g)
    size, whole = plain_norm(near_one), norm(w)
    still = size == 0
    scale = jnp.where(whole == 0, power, whole / jnp.where(still, 1, size))
    return jnp.where(still, w, w - near_one * (learning_rate * scale)), still
