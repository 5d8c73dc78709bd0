"""Method 1 as an optax transformation, for any twice differentiable function of any tree (arXiv 2312.10672)."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench import specs
from normbench.arguments import one_of
from normbench.errors import InvalidArgumentError
from normbench.jax.line_derivatives import forward, reverse
from normbench.jax.transformations.base import (
    SphereState,
    StateCheck,
    as_before,
    as_updates,
    cast,
    live_radii,
    start_radii,
    transformation,
    working_dtype,
)
from normbench.jax.transformations.curve import Evaluated, ValueCurve, bound, checked_value
from normbench.jax.transformations.gate import Gate, positive, require_nonzero, resolve
from normbench.jax.updates.method1 import method1 as method1_update
from normbench.jax.updates.spheres import Arrays

_DERIVATIVES = {"forward": forward, "reverse": reverse}
_DEFAULTS = specs.get("method1").defaults


def method1(
    *,
    order: int = _DEFAULTS["order"],
    trust_region: float | Array = _DEFAULTS["trust_region"],
    max_halvings: int | Array = _DEFAULTS["max_halvings"],
    differentiation: Literal["forward", "reverse"] = "forward",
    euclidean: Any = None,
    radius: float | Array = _DEFAULTS["radius"],
) -> optax.GradientTransformationExtraArgs:
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate. Every leaf, of any shape, keeps its Frobenius norm mu_i: the one at ``init``, or where it
    was loaded or replaced since, the one that it has now; a leaf that is zero then rests. Call it as ``optax.lbfgs`` is
    called: ``update(grads, state, params, value=value, value_fn=f)``, with f twice differentiable and ``value`` equal
    to ``f(params)``; of further keywords those that f names are handed over to it. Where the value or its derivatives
    are not finite, so are the step size and the new weights. For batches that do not fit into memory see
    :func:`normbench.jax.accumulated`; where a mask hides part of the parameters, as under ``optax.partition``, see
    :func:`normbench.jax.unmasked`.

    Parameters
    ----------
    order : int
        Order of the Taylor polynomial, 2 to 4; not an array.
    trust_region : float
        Largest step, in radians. An array, as from ``optax.inject_hyperparams``, is taken without a check.
    max_halvings : int
        How often a step may be halved until the value does not rise; 0 switches the safeguard off.
    differentiation : "forward" or "reverse"
        Mode of the derivatives along the curve. Forward over forward needs no memory for the way back; reverse over
        reverse also passes functions that define their own backward pass (``jax.custom_vjp``).
    euclidean : tree of bool, or function from the parameters to one, optional
        Leaves that lie on no sphere, such as biases: they move on the line p - t radius g / ||g||, may be zero, and may
        change their norm. A prefix of the tree will do. This is not in the paper.
    radius : float
        How far such a leaf moves per radian.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range; from ``init``, if a leaf is zero and not marked as euclidean; from ``init``
        and ``update``, with its path, if a leaf has no entries, is not real or has no gradient of its shape; from
        ``update``, if value or value_fn is missing or no real scalar.

    Notes
    -----
    Under ``optax.inject_hyperparams`` order is static: ``static_args=("order", "euclidean")``.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import method1
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = method1()
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
    ...     return optax.apply_updates(params, updates), state, value
    >>> params, state, before = step(params, optimizer.init(params))
    >>> params, state, after = step(params, state)
    >>> bool(after < before)
    True
    """
    one_of("differentiation", differentiation, _DERIVATIVES)
    given = {"order": order, "trust_region": trust_region, "max_halvings": max_halvings}
    hyper = resolve("method1", given, static=("order",))
    length = positive("radius", radius)
    gate = Gate("method1")

    def init(params: Any) -> SphereState:
        gate.check_params(params)
        dtype = working_dtype(params)
        straight = _straight(euclidean, params)
        require_nonzero("method1", params, straight, remedy="Mark it as euclidean, or draw it at random.")
        return SphereState(_scales(start_radii(params), straight, length), jnp.zeros((), dtype))

    check_state = StateCheck(gate.method, init)

    def update(
        updates: Any,
        state: SphereState,
        params: Any = None,
        *,
        value: Array | float | None = None,
        value_fn: Callable[..., Array] | None = None,
        grad: Any = None,
        **extra: Any,
    ) -> tuple[Any, SphereState]:
        del grad  # optax.lbfgs takes it, too; here it is what is updated
        gate.check_gradients(updates, params)
        check_state(state, params)
        start_value = checked_value("value", value)
        objective = bound(value_fn, extra)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params, start_value)
        straight = _straight(euclidean, params)
        weights, gradient = cast(params, dtype), cast(updates, dtype)
        mu = _scales(live_radii(state.radii, params, weights), straight, length)
        start = Evaluated(weights, jnp.asarray(start_value, dtype), gradient)
        curve = ValueCurve(objective, params, gradient, straight, _DERIVATIVES[differentiation])
        within = jnp.asarray(hyper["trust_region"], dtype)
        step = method1_update(straight=straight, **(hyper | {"trust_region": within})).step
        found = step(curve, start, mu)
        return as_updates(params, found.point.weights), as_before(SphereState(mu, found.step_size), state)

    return transformation(init, update)


def _straight(euclidean: Any, params: Any) -> tuple[bool, ...]:
    """For every leaf of ``params`` whether it is marked."""
    mask = euclidean(params) if callable(euclidean) else euclidean
    if mask is True:
        raise InvalidArgumentError(
            "euclidean=True would leave no parameter on a sphere: say which leaves. optax.inject_hyperparams takes "
            'functions for schedules: say static_args=("order", "euclidean").'
        )
    try:
        flags = tuple(jax.tree.leaves(jax.tree.broadcast(False if mask is None else mask, params)))
    except ValueError:
        raise InvalidArgumentError(
            "euclidean must have the structure of the parameters, or be a prefix of it; got "
            f"{jax.tree.structure(mask)} for {jax.tree.structure(params)}. Say False where a leaf lies on a sphere."
        ) from None
    if not all(isinstance(flag, bool | np.bool_) for flag in flags):
        raise InvalidArgumentError(f"euclidean must be a tree of True and False; its leaves are {flags}.")
    return tuple(map(bool, flags))


def _scales(mu: Arrays, straight: tuple[bool, ...], radius: float | Array) -> Arrays:
    """mu_i of the leaves on spheres, ``radius`` of the others."""
    return tuple(jnp.asarray(radius, m.dtype) if line else m for m, line in zip(mu, straight, strict=True))
