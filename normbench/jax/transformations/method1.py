"""Method 1 as an optax transformation, for any twice differentiable function of any tree (arXiv 2312.10672)."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench.errors import InvalidArgumentError
from normbench.jax.line_derivatives import forward, reverse
from normbench.jax.method1 import method1 as method1_update
from normbench.jax.spheres import Arrays, radii
from normbench.jax.transformations.base import (
    SphereState,
    as_updates,
    cast,
    positive,
    require_nonzero,
    resolve,
    working_dtype,
)
from normbench.jax.transformations.curve import Evaluated, ValueCurve

_DERIVATIVES = {"forward": forward, "reverse": reverse}


def method1(
    *,
    order: int = 2,
    trust_region: float | Array = math.pi / 6,
    max_halvings: int = 20,
    differentiation: Literal["forward", "reverse"] = "forward",
    euclidean: Any = None,
    radius: float | Array = 1.0,
) -> optax.GradientTransformationExtraArgs:
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate. Every leaf, of any shape, keeps its Frobenius norm mu_i. Call it as ``optax.lbfgs`` is
    called: ``update(grads, state, params, value=value, value_fn=f)``, with f twice differentiable and ``value`` equal
    to ``f(params)``. For batches that do not fit into memory see :func:`normbench.jax.accumulated`; where a mask hides
    part of the parameters, as under ``optax.partition``, see :func:`normbench.jax.unmasked`.

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

    Returns
    -------
    optax.GradientTransformationExtraArgs

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range; from ``init``, if a leaf is zero and not marked as euclidean.

    Notes
    -----
    Under ``optax.inject_hyperparams`` order is static: ``static_args=("order", "euclidean")``.
    """
    if isinstance(order, jax.Array):
        raise InvalidArgumentError(
            'order must be an integer; got an array. With optax.inject_hyperparams say static_args=("order",).'
        )
    if differentiation not in _DERIVATIVES:
        raise InvalidArgumentError(f'differentiation must be "forward" or "reverse"; got {differentiation!r}.')
    hyper = resolve("method1", {"order": order, "trust_region": trust_region, "max_halvings": max_halvings})
    positive("radius", radius)

    def init(params: Any) -> SphereState:
        dtype = working_dtype(params)
        straight = _straight(euclidean, params)
        require_nonzero("method1", params, straight, remedy="Mark it as euclidean, or draw it at random.")
        return SphereState(_scales(radii(cast(params, dtype)), straight, radius), jnp.zeros((), dtype))

    def update(
        updates: Any,
        state: SphereState,
        params: Any = None,
        *,
        value: Array,
        value_fn: Callable[[Any], Array],
        **extra: Any,
    ) -> tuple[Any, SphereState]:
        del extra  # optax hands every member of a chain the extra arguments of all
        dtype = working_dtype(params, value)
        straight = _straight(euclidean, params)
        mu = _scales(state.radii, straight, radius)
        gradient = cast(updates, dtype)
        start = Evaluated(cast(params, dtype), jnp.asarray(value, dtype), gradient)
        curve = ValueCurve(value_fn, params, gradient, straight, _DERIVATIVES[differentiation])
        within = jnp.asarray(hyper["trust_region"], dtype)
        accepted, tau, _ = method1_update(curve, start, mu, straight=straight, **(hyper | {"trust_region": within}))
        new_state = SphereState(mu, tau.astype(state.step_size.dtype))
        return as_updates(params, accepted.weights), new_state

    return optax.GradientTransformationExtraArgs(init, update)


def _straight(euclidean: Any, params: Any) -> tuple[bool, ...]:
    """For every leaf of ``params`` whether it is marked."""
    mask = euclidean(params) if callable(euclidean) else euclidean
    try:
        flags = tuple(jax.tree.leaves(jax.tree.broadcast(False if mask is None else mask, params)))
    except ValueError as error:
        raise InvalidArgumentError(
            f"euclidean must have the structure of the parameters, or a prefix: {error}"
        ) from None
    if not all(isinstance(flag, bool) for flag in flags):
        raise InvalidArgumentError(f"euclidean must be a tree of True and False; its leaves are {flags}.")
    return flags


def _scales(mu: Arrays, straight: tuple[bool, ...], radius: float | Array) -> Arrays:
    """mu_i of the leaves on spheres, ``radius`` of the others."""
    return tuple(jnp.asarray(radius, m.dtype) if line else m for m, line in zip(mu, straight, strict=True))
