"""Online geodesic L-BFGS as an optax transformation: quasi-Newton steps from mini-batches, for matrices in balls."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.jax.transformations.balls import Place, Region, beginnings, like, matrices, units, wider
from normbench.jax.transformations.base import StateCheck, as_before, transformation, working_dtype
from normbench.jax.transformations.curve import bound, checked_value, value_at
from normbench.jax.transformations.gate import Gate, resolve
from normbench.jax.updates import online_lbfgs as online
from normbench.jax.updates.balls import Product
from normbench.specs.base import Geometry

_DEFAULTS = specs.get("online_lbfgs").defaults


class OnlineWalkState(NamedTuple):
    """Where the leaves are, what L-BFGS knows there, the average of the leaves, and the last step in radians.

    The average is a tree as the parameters are, of matrices in units of their radii.
    """

    place: Place
    walk: Any
    average: Any
    step_size: Array


def online_lbfgs(
    *,
    history: int = _DEFAULTS["history"],
    interval: int | Array = _DEFAULTS["interval"],
    momentum: float | Array = _DEFAULTS["momentum"],
    decay: float | Array = _DEFAULTS["decay"],
    damping: float | Array = _DEFAULTS["damping"],
    power: int | Array = _DEFAULTS["power"],
    radius: float | Array | None = _DEFAULTS["radius"],
) -> optax.GradientTransformationExtraArgs:
    """Online geodesic L-BFGS: quasi-Newton steps of matrices in spectral balls, from mini-batches; no learning rate.

    W = radius P,  Q = [P; (I - P^T P)^(1/2)],  Q <- (Q + t D) (I + t^2 D^T D)^(-1/2),
    D = -Proj(H m),  m <- Proj(momentum m + (1 - momentum) G),  t = sqrt(400 / (k + 400)) min(1, tan(pi/12) / ||D||_op),
    average <- average + rho (W - average),  rho = (power + 1) / (k + power + 1),  k = 0, 1, ...

    with H of L-BFGS from the last ``history`` pairs and a metric of both sides of the gradients; before there is a
    pair, the column that turns most turns by 1/20. ||W||_op <= radius for every leaf and behind every step, in the
    dtype of the leaf and with its rounding; so has the average. Nothing is searched, and there is no horizon. The
    parameters are those where the gradients are taken; evaluate and keep the *average*, which
    :func:`normbench.jax.averaged` gives.

    A pair is of one batch: its gradients at both ends of the step that it made. So call ``update(grads, state,
    params, value_fn=f)`` with f the loss of the present batch and ``grads`` its gradient at ``params``; the first
    and then every ``interval``-th step takes one gradient more, of f at the new parameters. Of further keywords
    those that f names are handed over to it. ``value`` may be given, as ``optax.lbfgs`` asks for it. Where the
    value or the gradient is not finite, so are the step size and the new weights.

    Leaves are matrices or kernels, as for :func:`normbench.jax.geodesic_lbfgs`; vectors are refused. See
    :func:`normbench.jax.accumulated` for batches that do not fit into memory, and :func:`normbench.jax.unmasked` where
    a mask hides part of the parameters.

    Parameters
    ----------
    history : int
        Pairs of steps and gradient differences that are kept; not an array.
    interval : int
        Steps from one pair to the next. An array, as from ``optax.inject_hyperparams``, is taken without a check, here
        and below.
    momentum : float
        Of the average of the gradients.
    decay : float
        Of the averages of G G^T and G^T G that make the metric.
    damping : float
        Added to the averages, in units of their mean eigenvalue.
    power : int
        The average gives the k-th iterate about the weight k^power.
    radius : float, optional
        Of all leaves. By default that of each leaf is the operator norm which it has at ``init``.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range; from ``init``, with its path, if a leaf lies outside of the radius, or is zero
        where there is none; from ``init`` and ``update``, if it has fewer than two axes, no entries or no gradient of
        its shape, or is not real; from ``update``, if value_fn is missing, or what it gives or value is no real scalar.

    Notes
    -----
    Both gradients of a pair have to be of one function. What clips gradients or adds to them in front of it, as in
    ``optax.chain``, changes the first alone: put it into f.

    Where a leaf was loaded or replaced since the last step, everything starts anew, with the leaf's radius the norm
    that it has now unless one was given, and what lies outside of it is put inside. So it is behind every step whose
    updates another transformation has scaled. A half-precision leaf is a rounded copy of the state's single-precision
    lift, so that small steps are not lost. A leaf whose gradients were all zero rests.

    Under ``optax.inject_hyperparams`` history is static: ``static_args=("history",)``.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import averaged, online_lbfgs
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params, rows: jax.numpy.mean((rows @ params.T + 1) ** 2)
    >>> optimizer, before = online_lbfgs(radius=3.0), loss(params, x)
    >>> state = optimizer.init(params)
    >>> @jax.jit
    ... def step(params, state, rows):
    ...     grads = jax.grad(loss)(params, rows)
    ...     updates, state = optimizer.update(grads, state, params, value_fn=loss, rows=rows)
    ...     return optax.apply_updates(params, updates), state
    >>> for k in range(8):
    ...     params, state = step(params, state, x[k % 2 :: 2])
    >>> bool(loss(averaged(state, params), x) < before)
    True
    """
    given = {"history": history, "interval": interval, "momentum": momentum, "decay": decay, "damping": damping}
    hyper = resolve("online_lbfgs", given | {"power": power}, static=("history",))
    region = Region.of("online_lbfgs", Geometry.STIEFEL, radius)
    gate = Gate("online_lbfgs", matrices=True)

    def begun(place: Place, params: Any, weights: tuple[Array, ...]) -> OnlineWalkState:
        variables = units(place.radii, weights)
        manifold = Product.of(region.geometry, variables)
        walk = online.begun(manifold, variables, history=hyper["history"]) if weights else ()
        average = jax.tree.unflatten(jax.tree.structure(params), variables)
        return OnlineWalkState(place, walk, average, jnp.zeros((), working_dtype(params)))

    start, resumed = beginnings(region, begun)

    def init(params: Any) -> OnlineWalkState:
        gate.check_params(params)
        region.check(params)
        begin: OnlineWalkState = start(params)
        return begin

    check_state = StateCheck(gate.method, init)

    def update(
        updates: Any,
        state: OnlineWalkState,
        params: Any = None,
        *,
        value: Array | float | None = None,
        value_fn: Callable[..., Array] | None = None,
        grad: Any = None,
        **extra: Any,
    ) -> tuple[Any, OnlineWalkState]:
        del grad  # optax.lbfgs takes it, too; here it is what is updated
        gate.check_gradients(updates, params)
        check_state(state, params)
        shown = 1 if value is None else jnp.where(jnp.isfinite(checked_value("value", value)), 1, jnp.nan)
        objective = bound(value_fn, extra)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params)
        weights = matrices(params, dtype)
        kept: OnlineWalkState = wider(state, dtype)
        replaced = region.replaced(kept.place, params, weights)
        now: OnlineWalkState = resumed(replaced, kept, params, weights)
        radii, manifold = now.place.radii, Product.of(region.geometry, weights)

        def of_variables(gradient: tuple[Array, ...]) -> tuple[Array, ...]:
            return tuple(r * g for r, g in zip(radii, gradient, strict=True))

        rates = {name: jnp.asarray(hyper[name], dtype) for name in ("momentum", "decay", "damping")}
        here = of_variables(tuple(shown * g for g in matrices(updates, dtype)))
        turn = online.turned(manifold, now.walk, here, **rates)
        ends = manifold.down(now.walk.Q), manifold.down(turn.Q)
        end = region.moved(params, weights, ends, radii, replaced)

        def behind() -> tuple[Array, ...]:
            return of_variables(jax.grad(lambda there: value_at(objective, params, there))(end.weights))

        walk, _ = online.remembered(manifold, now.walk, turn, behind, hyper["interval"])
        averages, structure = jax.tree.flatten(now.average)
        iterates = tuple(  # what rests has the bits of the leaf, not of its lift
            jnp.where((before == after).all(), w, after)
            for before, after, w in zip(*ends, units(radii, weights), strict=True)
        )
        mean = online.averaged(tuple(averages), iterates, walk.metric.count, jnp.asarray(hyper["power"], dtype))
        new = OnlineWalkState(Place(radii, end.weights), walk, jax.tree.unflatten(structure, mean), turn.angle)
        return like(params, end.updates), as_before(new, state)

    return transformation(init, update)
