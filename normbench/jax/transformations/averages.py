"""The averaged parameters that the mini-batch optimisers of balls are judged by."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from normbench.errors import InvalidArgumentError
from normbench.jax.promotion import promoting
from normbench.jax.transformations.balls import Region
from normbench.jax.transformations.gate import beside, is_masked
from normbench.jax.transformations.online_lbfgs import OnlineWalkState
from normbench.jax.transformations.polar_average import AverageState
from normbench.specs.base import Geometry

AVERAGING = (AverageState, OnlineWalkState)  # states that hold an average, and the radii of its leaves


@promoting
def averaged(state: Any, params: Any) -> Any:
    """The averaged parameters, for evaluation: as ``optax.contrib.schedule_free_eval_params``.

    Those of :func:`normbench.jax.polar_average` or :func:`normbench.jax.online_lbfgs`.

    Parameters
    ----------
    state : tree
        Of the transformation, or of others that it is part of, as from ``optax.chain`` or ``optax.partition``.
    params : tree
        The parameters at present: leaves that a mask hides from the transformation keep their values. Of a model of
        equinox what was filtered for ``init``; of ``flax.nnx`` take ``nnx.as_pure`` of ``optimizer.opt_state`` and of
        ``nnx.state(model, nnx.Param)``.

    Returns
    -------
    tree
        In the shapes and dtypes of ``params``; ||average||_op <= radius, rounding included.

    Raises
    ------
    InvalidArgumentError
        If the state holds no average, or more than one, or that of other parameters or of several seeds.
    """
    nodes = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, AVERAGING))
    states = [node for node in nodes if isinstance(node, AVERAGING)]
    if len(states) != 1:
        raise InvalidArgumentError(
            f"averaged() needs the state of one polar_average() or online_lbfgs(); got one with {len(states)}. Hand "
            "over the state that init() and update() of this transformation return."
        )
    (found,) = states
    region = Region("averaged", Geometry.STIEFEL, None)
    radii = iter(found.place.radii)
    means, leaves, structure = beside("the average", found.average, params)

    def average(mean: Any, leaf: Any) -> Any:
        if is_masked(mean):
            return leaf
        shape, dtype = jnp.shape(leaf), jnp.result_type(leaf)
        if mean.shape != (*shape[:1], math.prod(shape[1:])) or not jnp.issubdtype(dtype, jnp.floating):
            raise InvalidArgumentError(
                f"the average of a leaf has the shape {mean.shape}, the parameter is {dtype} of shape {shape}. Hand "
                "over the parameters of the same step; where a leading axis counts seeds, use jax.vmap(averaged)."
            )
        radius = next(radii)
        weight = region.towards(jnp.zeros_like(mean), radius * mean, radius, dtype)[1]
        return weight.reshape(jnp.shape(leaf)).astype(dtype)

    return jax.tree.unflatten(structure, map(average, means, leaves))
