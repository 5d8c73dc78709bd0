"""Fromage and LARS as optax transformations: relative updates, leaf by leaf (arXiv 2002.03432)."""

from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.jax.norms import norm
from normbench.jax.transformations.base import (
    BoundState,
    RateState,
    cast,
    explicit,
    first_count,
    live,
    next_count,
    rate_at,
    working_dtype,
)
from normbench.jax.transformations.gate import Gate, resolve_rate
from normbench.jax.updates.fromage import fromage as fromage_update
from normbench.jax.updates.fromage import lars as lars_update
from normbench.jax.updates.fromage import norm_bounds
from normbench.jax.updates.spheres import Arrays

_FROMAGE, _LARS = (specs.get(key).defaults for key in ("fromage", "lars"))


def fromage(
    learning_rate: optax.ScalarOrSchedule = _FROMAGE["learning_rate"],
    *,
    p_bound: float | Array | None = _FROMAGE["p_bound"],
) -> optax.GradientTransformationExtraArgs:
    """Fromage: every leaf, of any shape, changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    A convolution kernel is one leaf with one norm. A leaf of zeros takes W - eta g, one with a zero gradient stays.
    Norms of complex leaves are those of ``|z|``, and their gradient is the direction of ascent, the conjugate of what
    ``jax.grad`` gives. What scales the updates behind it, such as ``optax.scale`` or ``reduce_on_plateau``, breaks the
    prefactor, and norms shrink: change the learning rate instead.

    Parameters
    ----------
    learning_rate : float or schedule
        eta, in [0, 1], or a function of the number of steps taken. What a schedule gives, and an array, as from
        ``optax.inject_hyperparams``, is taken without a check, here and below.
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at ``init``, at least 1. Where a step finds a norm that differs from
        what the last one left by more than a step can change it, because parameters were loaded or replaced, the bound
        is taken anew from it.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range; from ``init`` and ``update``, with its path, if a leaf is neither real nor
        complex or has no gradient of its shape.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import fromage
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = fromage(0.01)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     return optax.apply_updates(params, updates), state, value
    >>> params, state, before = step(params, optimizer.init(params))
    >>> params, state, after = step(params, state)
    >>> bool(after < before)
    True
    """
    hyper = resolve_rate("fromage", {"learning_rate": learning_rate, "p_bound": p_bound})
    factor = hyper["p_bound"]

    def init(params: Any) -> BoundState:
        dtype = working_dtype(params)
        weights = cast(params, dtype)
        bounds = norm_bounds(weights, factor)
        norms = () if bounds is None else tuple(map(norm, weights))
        bounds = tuple(jnp.asarray(b, dtype) for b in bounds or ())
        return BoundState(first_count(hyper["learning_rate"]), jnp.zeros((), dtype), bounds, norms)

    def step(params: Any, gradient: Arrays, weights: Arrays, state: BoundState) -> tuple[Arrays, BoundState]:
        eta = rate_at(hyper["learning_rate"], state.count, working_dtype(params))
        count = next_count(state.count)
        if factor is None:
            moved, *_ = fromage_update(learning_rate=eta, p_bound=None).step(gradient, weights, None)
            return moved, BoundState(count, eta, (), ())
        loaded = live(state.norms, params, weights, eta)
        anew = norm_bounds(weights, factor) or ()
        bounds = tuple(jnp.where(new, b, old) for new, b, old in zip(loaded, anew, state.norm_bounds, strict=True))
        moved, *_ = fromage_update(learning_rate=eta, p_bound=factor).step(gradient, weights, bounds)
        return moved, BoundState(count, eta, bounds, tuple(map(norm, moved)))

    return explicit(Gate("fromage", layerwise=True), init, step)


def lars(
    learning_rate: optax.ScalarOrSchedule = _LARS["learning_rate"],
) -> optax.GradientTransformationExtraArgs:
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters and errors as :func:`fromage`, without ``p_bound``.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import lars
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = lars(0.01)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     return optax.apply_updates(params, updates), state, value
    >>> params, state, before = step(params, optimizer.init(params))
    >>> params, state, after = step(params, state)
    >>> bool(after < before)
    True
    """
    hyper = resolve_rate("lars", {"learning_rate": learning_rate})

    def init(params: Any) -> RateState:
        return RateState(first_count(hyper["learning_rate"]), jnp.zeros((), working_dtype(params)))

    def step(params: Any, gradient: Arrays, weights: Arrays, state: RateState) -> tuple[Arrays, RateState]:
        eta = rate_at(hyper["learning_rate"], state.count, working_dtype(params))
        moved, *_ = lars_update(learning_rate=eta).step(gradient, weights, ())
        return moved, RateState(next_count(state.count), eta)

    return explicit(Gate("lars", layerwise=True), init, step)
