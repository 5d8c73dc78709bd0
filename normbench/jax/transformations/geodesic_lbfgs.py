"""Geodesic L-BFGS as an optax transformation, for any twice differentiable function of matrices in balls."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.arguments import one_of
from normbench.jax.line_derivatives import forward, reverse
from normbench.jax.transformations.balls import Place, Region, like, matrices, units, wider
from normbench.jax.transformations.base import StateCheck, as_before, transformation, working_dtype
from normbench.jax.transformations.curve import ValueSeries, bound, checked_value
from normbench.jax.transformations.gate import Gate, resolve
from normbench.jax.updates.balls import Product
from normbench.jax.updates.geodesic_lbfgs import geodesic_lbfgs as geodesic_lbfgs_update
from normbench.jax.updates.through import Point
from normbench.specs.base import Geometry

_DERIVATIVES = {"forward": forward, "reverse": reverse}
_MANIFOLDS = {"ball": Geometry.STIEFEL, "sphere": Geometry.SPHERE}
_DEFAULTS = specs.get("geodesic_lbfgs").defaults


class WalkState(NamedTuple):
    """Where the leaves are, the lifts, pairs and metric of L-BFGS, and the last step in radians."""

    place: Place
    walk: Any
    step_size: Array


def geodesic_lbfgs(
    *,
    history: int = _DEFAULTS["history"],
    decay: float | Array = _DEFAULTS["decay"],
    damping: float | Array = _DEFAULTS["damping"],
    max_trials: int | Array = _DEFAULTS["max_trials"],
    manifold: Literal["ball", "sphere"] = _DEFAULTS["manifold"],
    radius: float | Array | None = _DEFAULTS["radius"],
    differentiation: Literal["forward", "reverse"] = "forward",
) -> optax.GradientTransformationExtraArgs:
    """Geodesic L-BFGS: quasi-Newton steps of matrices in spectral balls, which no step leaves; no learning rate.

    W = radius P,  Q = [P; (I - P^T P)^(1/2)],  Q <- (Q + t D) (I + t^2 D^T D)^(-1/2),
    D = -Proj(H G), H of L-BFGS from the last ``history`` steps and a metric of both sides of the gradients

    so that ||W||_op <= radius for every leaf and behind every step, in the dtype of the leaf and with its rounding. The
    value never rises. Call it as ``optax.lbfgs`` is called: ``update(grads, state, params, value=value, value_fn=f)``,
    with f twice differentiable, the same function each time, and ``value`` equal to ``f(params)``; of further keywords
    those that f names are handed over to it. Where the value or the gradient is not finite, so are the step size and
    the new weights. See :func:`normbench.jax.accumulated` for batches that do not fit into memory, and
    :func:`normbench.jax.unmasked` where a mask hides part of the parameters.

    Every leaf is a matrix (fan_out, fan_in), or a kernel (out, in, height, width), which counts as the matrix
    (out, in height width). Vectors are refused: biases do not bear on the bound, and go to another transformation.
    Flax keeps weights the other way round, (fan_in, fan_out) and (height, width, in, out): transpose kernels.

    Parameters
    ----------
    history : int
        Pairs of steps and gradient differences that are kept; not an array.
    decay : float
        Of the averages of G G^T and G^T G that make the metric. An array, as from ``optax.inject_hyperparams``, is
        taken without a check, here and below.
    damping : float
        Added to the averages, in units of their mean eigenvalue.
    max_trials : int
        Points of a line search; then the pairs are given up, and without any the leaves stay and the step size is 0.
    manifold : "ball" or "sphere"
        What the radius bounds: the operator norm in a ball; on a sphere the Frobenius norm, which then is the radius.
    radius : float, optional
        Of all leaves. By default that of each leaf is the norm which it has at ``init``.
    differentiation : "forward" or "reverse"
        Mode of the second derivative of the first step and of those behind a restart, see
        :func:`normbench.jax.method1`.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range; from ``init``, with its path, if a leaf lies outside of the radius, or is zero
        where there is none; from ``init`` and ``update``, if it has fewer than two axes, no entries or no gradient of
        its shape, or is not real; from ``update``, if value or value_fn is missing or no real scalar.

    Notes
    -----
    Where a leaf was loaded or replaced since the last step, everything starts anew: pairs and metric are given up, the
    leaf's radius is the norm that it has now unless one was given, and what lies outside of it is put inside. So it is
    behind every step whose updates another transformation has scaled. A half-precision leaf is a rounded copy of the
    state's single-precision lift, so that small steps are not lost.

    Squares of the gradient, times the radius, are summed in the working dtype. Where they leave it, in float32 below
    some 1e-20 and above 1e19, no direction is left: the leaves stay, and the step size is 0. Scale the loss.

    Under ``optax.inject_hyperparams`` history is static: ``static_args=("history",)``.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import geodesic_lbfgs
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = geodesic_lbfgs(radius=3.0)
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
    one_of("manifold", manifold, _MANIFOLDS)
    given = {"history": history, "decay": decay, "damping": damping, "max_trials": max_trials}
    hyper = resolve("geodesic_lbfgs", given, static=("history",))
    region = Region.of("geodesic_lbfgs", _MANIFOLDS[manifold], radius)
    gate = Gate("geodesic_lbfgs", matrices=True)

    def begun(place: Place, weights: tuple[Array, ...]) -> Any:
        return geodesic_lbfgs_update(**hyper).init(region, units(place.radii, weights)) if weights else ()

    @jax.jit  # one program to compile, not one for every operation
    def start(params: Any) -> WalkState:
        dtype = working_dtype(params)
        weights = matrices(params, dtype)
        place = region.begin(weights)
        return WalkState(place, begun(place, weights), jnp.zeros((), dtype))

    def init(params: Any) -> WalkState:
        gate.check_params(params)
        region.check(params)
        return start(params)

    check_state = StateCheck(gate.method, init)

    def update(
        updates: Any,
        state: WalkState,
        params: Any = None,
        *,
        value: Array | float | None = None,
        value_fn: Callable[..., Array] | None = None,
        grad: Any = None,
        **extra: Any,
    ) -> tuple[Any, WalkState]:
        del grad  # optax.lbfgs takes it, too; here it is what is updated
        gate.check_gradients(updates, params)
        check_state(state, params)
        start_value = checked_value("value", value)
        objective = bound(value_fn, extra)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params, start_value)
        weights = matrices(params, dtype)
        before: WalkState = wider(state, dtype)
        replaced = region.replaced(before.place, params, weights)

        def anew() -> tuple[Place, Any]:
            place = region.renewed(before.place, replaced, weights)
            return place, begun(place, weights)

        (radii, _), walk = jax.lax.cond(jnp.stack(replaced).any(), anew, lambda: (before.place, before.walk))
        variables = Product.of(region.geometry, weights).down(walk.Q)
        first = jnp.asarray(start_value, dtype)
        shown = jnp.where(jnp.isfinite(first), 1, jnp.nan)  # else a value of NaN would be one that no step lowers
        gradient = tuple(shown * r * g for r, g in zip(radii, matrices(updates, dtype), strict=True))

        def moved(there: tuple[Array, ...]) -> Any:
            return region.moved(params, weights, (variables, there), radii, replaced)

        value_along = ValueSeries(
            value_fn=objective,
            params=params,
            gradient=gradient,
            radii=radii,
            geometry=region.geometry,
            ends=lambda there: moved(there).weights,
            derivative=_DERIVATIVES[differentiation],
        )
        rates = {name: jnp.asarray(hyper[name], dtype) for name in ("decay", "damping")}
        method = geodesic_lbfgs_update(**hyper | rates)
        found = method.step(value_along, Point(variables, first, gradient), walk)
        end = moved(found.point.weights)
        new = WalkState(Place(radii, end.weights), found.state, found.step_size)
        return like(params, end.updates), as_before(new, state)

    return transformation(init, update)
