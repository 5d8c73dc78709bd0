"""Fromage and LARS as optax transformations: relative updates, leaf by leaf (arXiv 2002.03432)."""

from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from normbench.jax.fromage import fromage as fromage_update
from normbench.jax.fromage import lars as lars_update
from normbench.jax.fromage import norm_bounds
from normbench.jax.spheres import Arrays
from normbench.jax.transformations.base import BoundState, cast, explicit, resolve, working_dtype


def fromage(
    *, learning_rate: float | Array = 0.01, p_bound: float | Array | None = None
) -> optax.GradientTransformationExtraArgs:
    """Fromage: every leaf, of any shape, changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    A convolution kernel is one leaf with one norm. A leaf of zeros takes W - eta g. What scales the updates behind it,
    such as ``optax.scale`` or ``reduce_on_plateau``, breaks the prefactor, and norms shrink: change the learning rate
    with ``optax.inject_hyperparams`` instead.

    Parameters
    ----------
    learning_rate : float
        eta, in [0, 1]. An array, as from ``optax.inject_hyperparams``, is taken without a check, here and below.
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at ``init``, at least 1.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range.
    """
    hyper = resolve("fromage", {"learning_rate": learning_rate, "p_bound": p_bound})

    def init(params: Any) -> BoundState:
        return BoundState(norm_bounds(cast(params, working_dtype(params)), hyper["p_bound"]))

    def step(gradient: Arrays, weights: Arrays, state: BoundState) -> tuple[Arrays, BoundState]:
        eta = jnp.asarray(hyper["learning_rate"], weights[0].dtype)
        return fromage_update(gradient, weights, state.norm_bounds, learning_rate=eta), state

    return explicit(init, step)


def lars(*, learning_rate: float | Array = 0.01) -> optax.GradientTransformationExtraArgs:
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters and errors as :func:`fromage`, without ``p_bound``.
    """
    hyper = resolve("lars", {"learning_rate": learning_rate})

    def step(gradient: Arrays, weights: Arrays, state: optax.EmptyState) -> tuple[Arrays, optax.EmptyState]:
        eta = jnp.asarray(hyper["learning_rate"], weights[0].dtype)
        return lars_update(gradient, weights, learning_rate=eta), state

    return explicit(lambda params: optax.EmptyState(), step)
