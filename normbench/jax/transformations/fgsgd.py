"""FG-SGD as an optax transformation: weights on products of scaled manifolds (M. Ozay, Algorithm 1)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.transformations.base import (
    StateCheck,
    as_before,
    as_updates,
    cast,
    rate_at,
    transformation,
    working_dtype,
)
from normbench.jax.transformations.gate import Gate, check_static, resolve_rate
from normbench.jax.updates.fgsgd import FGSGDState
from normbench.jax.updates.fgsgd import fgsgd as fgsgd_update
from normbench.jax.updates.spheres import Arrays
from normbench.numbers import as_integer
from normbench.specs import manifolds

_DEFAULTS = specs.get("fgsgd").defaults


class ManifoldState(NamedTuple):
    """Number of steps, lambda of every leaf, and the last rate r(t)."""

    count: Array
    deviations: Arrays
    step_size: Array


def fgsgd(
    learning_rate: optax.ScalarOrSchedule = _DEFAULTS["learning_rate"],
    *,
    decay: float | Array = _DEFAULTS["decay"],
    manifold: str = _DEFAULTS["manifold"],
    grouping: str = _DEFAULTS["grouping"],
    groups: int = _DEFAULTS["groups"],
    partition_seed: int = _DEFAULTS["partition_seed"],
    positions: int | Sequence[int] = _DEFAULTS["positions"],
) -> optax.GradientTransformationExtraArgs:
    """FG-SGD: stochastic gradient descent on products of manifolds (POMs) of a leaf's blocks of channels.

    omega' = phi_omega(-(r(t) / zeta) grad),   r(t) = r0 / (1 + t)^decay,   zeta = max(1, R_g (2 + R_g))
    (M. Ozay, "Fine-grained Optimization of Deep Neural Networks", Algorithm 1, eq. 2-7)

    with grad the Riemannian gradient of a POM, R_g its norm, phi the exponential map (Stiefel: a retraction), and
    W = gamma / lambda omega, gamma = 1 / sqrt(fan-in + channels_out * positions). A component is one height x width
    matrix of a kernel, or a whole block of a matrix or of a 1 x 1 kernel.

    Start from parameters on the manifolds, as :func:`normbench.specs.manifolds.initial_weights` makes them of the
    leaves; others are put there by the next step, weights that were loaded in between included.

    ``update(grads, state, params, feature_std=...)`` takes the running standard deviations of the features that feed
    each leaf: a tree or sequence of numbers in the order of the leaves. lambda is the larger of it and 1, and 1 at the
    first step or without it.

    Parameters
    ----------
    learning_rate : float or schedule
        r0, or a function of the number of steps taken, whose values take its place. What a schedule gives, and an
        array, as from ``optax.inject_hyperparams``, is taken without a check; so is the decay, while all that follows
        has to be among its ``static_args``.
    decay : float
        Above 1/2, at most 1, so that sum r = inf and sum r^2 < inf (eq. 4).
    manifold : str
        "sphere" (unit Frobenius norm), "stiefel" (orthonormal columns, or rows if there are fewer) or "oblique"
        (columns of unit norm).
    grouping : str
        Channels that are split into sets, at random and for good: "pi" input, "po" output, "pio" both.
    groups : int
        Sets per split side of a leaf.
    partition_seed : int
        Seeds the sets.
    positions : int or sequence of int
        Pixels of the output map: of all kernels, or leaf by leaf.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range; from ``init`` and ``update``, with its path, if a leaf is neither a matrix
        nor a kernel (out, in, height, width), has no entries or no gradient of its shape, or is not real; from
        ``update``, if there is not one deviation per leaf.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import fgsgd
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = fgsgd(0.1)
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
    given = {"learning_rate": learning_rate, "decay": decay, "manifold": manifold, "grouping": grouping}
    given |= {"groups": groups, "partition_seed": partition_seed}
    hyper = resolve_rate("fgsgd", given, static=("groups", "partition_seed"))
    pixels = _checked_positions(positions)
    gate = Gate("fgsgd")

    def check(params: Any) -> None:
        gate.check_params(params)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            manifolds.check_shape(np.shape(leaf), f"params{jax.tree_util.keystr(path)}")

    def init(params: Any) -> ManifoldState:
        check(params)
        dtype = working_dtype(params)
        start = fgsgd_update(**hyper).init(None, cast(params, dtype))
        return ManifoldState(start.count, start.deviations, jnp.zeros((), dtype))

    check_state = StateCheck(gate.method, init)

    def update(
        updates: Any, state: ManifoldState, params: Any = None, *, feature_std: Any = None, **extra: Any
    ) -> tuple[Any, ManifoldState]:
        del extra  # optax hands every member of a chain the extra arguments of all
        gate.check_gradients(updates, params)
        check(params)
        check_state(state, params)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params)
        weights = cast(params, dtype)
        step_hyper = hyper | {
            "learning_rate": rate_at(hyper["learning_rate"], state.count, dtype),
            "decay": jnp.asarray(hyper["decay"], dtype),
            "positions": _per_leaf("positions", pixels, len(weights)),
            "feature_std": None if feature_std is None else _per_leaf("feature_std", feature_std, len(weights)),
        }
        before = FGSGDState(state.count, tuple(jnp.asarray(d, dtype) for d in state.deviations))
        moved, new, rate = fgsgd_update(**step_hyper).step(cast(updates, dtype), weights, before)
        return as_updates(params, moved), as_before(ManifoldState(new.count, new.deviations, rate), state)

    return transformation(init, update)


def _checked_positions(positions: Any) -> int | list[int]:
    check_static("positions", positions)
    whole = as_integer(positions)
    given = list(positions) if whole is None and np.iterable(positions) else [whole]
    found = [number for value in given if (number := as_integer(value)) is not None and number >= 1]
    if len(found) != len(given):
        raise InvalidArgumentError(f"positions must be integers of at least 1; got {positions!r}.")
    return found[0] if whole is not None else found


def _per_leaf(name: str, values: Any, leaves: int) -> list[Any]:
    """One value per leaf, an integer counting for all."""
    found = [values] * leaves if isinstance(values, int) else jax.tree.leaves(values)
    if len(found) != leaves:
        raise InvalidArgumentError(f"{name} must hold one number per leaf, {leaves} in all; got {len(found)}.")
    return found
