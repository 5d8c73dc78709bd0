"""The polar average as an optax transformation, for mini-batches."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.jax.transformations.balls import Place, Region, beginnings, like, matrices, units, wider
from normbench.jax.transformations.base import StateCheck, as_before, transformation, working_dtype
from normbench.jax.transformations.gate import Gate, resolve
from normbench.jax.updates.polar_average import PolarState, advanced
from normbench.specs.base import Geometry

_DEFAULTS = specs.get("polar_average").defaults


class AverageState(NamedTuple):
    """Steps taken, where the leaves are, averaged gradients, the average of the leaves, and the last eta.

    The average is a tree as the parameters are, of matrices in units of their radii.
    """

    count: Array
    place: Place
    momentum: tuple[Array, ...]
    average: Any
    step_size: Array


def polar_average(
    *,
    momentum: float | Array = _DEFAULTS["momentum"],
    offset: int | Array = _DEFAULTS["offset"],
    power: int | Array = _DEFAULTS["power"],
    radius: float | Array | None = _DEFAULTS["radius"],
) -> optax.GradientTransformationExtraArgs:
    """Polar average: steps to the corner of the spectral ball that the gradients point to, for mini-batches.

    W <- (1 - eta) W - eta radius polar(m),  eta = 2 / (k + offset),  m <- momentum m + (1 - momentum) g,
    average <- average + rho (W - average),  rho = (power + 1) / (k + power + 1),  k = 0, 1, ...

    with polar(U S V^T) = U V^T. ||W||_op <= radius for every leaf and behind every step, in the dtype of the leaf and
    with its rounding; so has the average. There is no learning rate and no horizon. The parameters are those where the
    gradients are taken; evaluate and keep the *average*, which :func:`normbench.jax.averaged` gives.

    Leaves are matrices or kernels, as for :func:`normbench.jax.geodesic_lbfgs`; vectors are refused.

    Parameters
    ----------
    momentum : float
        Of the average of the gradients. An array, as from ``optax.inject_hyperparams``, is taken without a check, here
        and below.
    offset : int
        c of eta = 2 / (k + c).
    power : int
        The average gives the k-th iterate about the weight k^power.
    radius : float, optional
        Of all leaves. By default that of each leaf is the operator norm which it has at ``init``.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range; from ``init``, with its path, if a leaf lies outside of the radius, or is zero
        where there is none; from ``init`` and ``update``, if it has fewer than two axes, no entries or no gradient of
        its shape, or is not real.

    Notes
    -----
    Where a leaf was loaded or replaced since the last step, everything starts anew, with the leaf's radius the norm
    that it has now unless one was given, and what lies outside of it is put inside. So it is behind every step whose
    updates another transformation has scaled. A leaf whose gradients were all zero rests.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import averaged, polar_average
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer, before = polar_average(radius=3.0), loss(params)
    >>> state = optimizer.init(params)
    >>> @jax.jit
    ... def step(params, state):
    ...     updates, state = optimizer.update(jax.grad(loss)(params), state, params)
    ...     return optax.apply_updates(params, updates), state
    >>> for _ in range(5):
    ...     params, state = step(params, state)
    >>> bool(loss(averaged(state, params)) < before)
    True
    """
    hyper = resolve("polar_average", {"momentum": momentum, "offset": offset, "power": power})
    region = Region.of("polar_average", Geometry.STIEFEL, radius)
    gate = Gate("polar_average", matrices=True)

    def begun(place: Place, params: Any, weights: tuple[Array, ...]) -> AverageState:
        zero = jnp.zeros((), working_dtype(params))
        average = jax.tree.unflatten(jax.tree.structure(params), units(place.radii, weights))
        nothing = tuple(jnp.zeros_like(w) for w in weights)
        return AverageState(jnp.zeros((), jnp.int32), place, nothing, average, zero)

    start, resumed = beginnings(region, begun)

    def init(params: Any) -> AverageState:
        gate.check_params(params)
        region.check(params)
        begin: AverageState = start(params)
        return begin

    check_state = StateCheck(gate.method, init)

    def update(updates: Any, state: AverageState, params: Any = None, **extra: Any) -> tuple[Any, AverageState]:
        del extra  # optax hands every member of a chain the extra arguments of all
        gate.check_gradients(updates, params)
        check_state(state, params)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params)
        weights = matrices(params, dtype)
        kept: AverageState = wider(state, dtype)
        replaced = region.replaced(kept.place, params, weights)
        now = resumed(replaced, kept, params, weights)
        radii, variables = now.place.radii, units(now.place.radii, weights)
        averages, structure = jax.tree.flatten(now.average)
        rates = {name: jnp.asarray(number, dtype) for name, number in hyper.items()}
        before = PolarState(variables, now.momentum, now.count)
        new, mean, eta = advanced(before, matrices(updates, dtype), tuple(averages), **rates)
        end = region.moved(params, weights, (variables, new.P), radii, replaced)
        after = AverageState(
            count=optax.safe_increment(now.count),
            place=Place(radii, end.weights),
            momentum=new.m,
            average=jax.tree.unflatten(structure, mean),
            step_size=eta,
        )
        return like(params, end.updates), as_before(after, state)

    return transformation(init, update)
