"""What the transformations share: leaves of a user's tree, one dtype to compute in, checks at ``init``, states."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.spheres import Arrays

Step = Callable[[Arrays, Arrays, Any], tuple[Arrays, Any]]


class SphereState(NamedTuple):
    """Radii mu_i in the order of the leaves, and the last step size tau in radians."""

    radii: Arrays
    step_size: Array


class BoundState(NamedTuple):
    """Largest admissible norm of every leaf."""

    norm_bounds: Arrays


class StepState(NamedTuple):
    """The last step size."""

    step_size: Array


def explicit(init: Callable[[Any], Any], step: Step) -> optax.GradientTransformationExtraArgs:
    """A transformation from (gradient, weights, state) -> (weights, state), an update that needs the gradient alone."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        dtype = working_dtype(params)
        moved, state = step(cast(updates, dtype), cast(params, dtype), state)
        return as_updates(params, moved), state

    return optax.with_extra_args_support(optax.GradientTransformation(init, update))


def working_dtype(params: Any, *others: Any) -> Any:
    """The widest floating type of the leaves and of ``others``, at least float32: half precision cannot be factorised.

    Raises
    ------
    InvalidArgumentError
        If there are no parameters.
    """
    if params is None:
        raise InvalidArgumentError(
            "update() of this transformation needs the parameters: update(grads, state, params)."
        )
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise InvalidArgumentError("there are no parameters: the tree has no leaves.")
    return jnp.promote_types(jnp.result_type(*leaves, *others), jnp.float32)


def cast(tree: Any, dtype: Any) -> Arrays:
    """The leaves in one dtype; masked nodes are none."""
    return tuple(jnp.asarray(leaf, dtype) for leaf in jax.tree.leaves(tree))


def as_updates(params: Any, moved: Sequence[Array]) -> Any:
    """New weights minus old ones, every leaf in its own dtype."""
    leaves, structure = jax.tree.flatten(params)
    pairs = zip(moved, map(jnp.asarray, leaves), strict=True)
    return jax.tree.unflatten(structure, [(new - old).astype(old.dtype) for new, old in pairs])


def resolve(key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters in their ranges; arrays, as ``optax.inject_hyperparams`` makes them, are taken as they are."""
    arrays = {name: value for name, value in given.items() if isinstance(value, jax.Array)}
    return specs.get(key).resolve({name: given[name] for name in given if name not in arrays}) | arrays


def positive(name: str, value: Any) -> Any:
    """``value`` if it is an array or a positive finite number.

    Raises
    ------
    InvalidArgumentError
    """
    if isinstance(value, jax.Array):
        return value
    odd = isinstance(value, bool) or not isinstance(value, int | float)
    if odd or not 0.0 < value < math.inf:
        raise InvalidArgumentError(f"{name} must be positive and finite; got {value!r}.")
    return value


def require_matrices(method: str, params: Any) -> None:
    """Raise unless every leaf is a matrix or a kernel.

    Raises
    ------
    InvalidArgumentError
        With the path of the first leaf that is not.
    """
    for path, leaf in _named_leaves(params):
        if np.ndim(leaf) < 2:
            raise InvalidArgumentError(
                f"{method} needs matrices (fan_out, fan_in) or kernels (out, in, height, width); params{path} has "
                f"shape {np.shape(leaf)}. Give it to another transformation with optax.partition."
            )


def require_nonzero(method: str, params: Any, exempt: Sequence[bool] = (), *, remedy: str) -> None:
    """Raise where a leaf is zero and so lies on no sphere; leaves that are being traced cannot be seen.

    Raises
    ------
    InvalidArgumentError
        With the path of the first such leaf.
    """
    for (path, leaf), free in zip(_named_leaves(params), exempt or itertools.repeat(False), strict=False):
        if not free and not isinstance(leaf, jax.core.Tracer) and not jnp.any(leaf):
            raise InvalidArgumentError(
                f"{method} keeps the norm of every leaf, and params{path} of shape {np.shape(leaf)} is zero. {remedy}"
            )


def _named_leaves(params: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        yield jax.tree_util.keystr(path), leaf
