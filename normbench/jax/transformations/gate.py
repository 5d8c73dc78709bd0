"""The gate of the transformations: which parameters, gradients and numbers may enter, and what is said of the rest.

Everything is decided from structures, shapes and dtypes, so that it also holds under jit, vmap and eval_shape.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normbench import numbers, specs
from normbench.errors import InvalidArgumentError

_APART = "Keep it apart with optax.partition or optax.masked, or filter it out of the tree."


@dataclass(frozen=True)
class Gate:
    """What the leaves of one method may be.

    Attributes
    ----------
    method : str
    matrices : bool
        Whether it needs matrices or kernels.
    layerwise : bool
        Whether every leaf moves by itself: complex leaves and leaves without entries then do no harm.
    """

    method: str
    matrices: bool = False
    layerwise: bool = False

    def check_params(self, params: Any) -> None:
        """Raise unless the method can move every leaf.

        Raises
        ------
        InvalidArgumentError
            With the path of the first leaf that it cannot.
        """
        leaves = jax.tree.leaves(params)
        if params is None or not (leaves or jax.tree.leaves(params, is_leaf=_is_hidden)):
            raise InvalidArgumentError(
                f"{self.method}: there are no parameters: {'got None' if params is None else 'the tree has no leaves'}."
            )
        for index, leaf in enumerate(leaves):
            reason = self._unfit(leaf)
            if reason:
                raise InvalidArgumentError(f"{self.method}: params{_path(params, index)} {reason}")
            if self.matrices and np.ndim(leaf) < 2:
                raise InvalidArgumentError(
                    f"{self.method} needs matrices (fan_out, fan_in) or kernels (out, in, height, width); "
                    f"params{_path(params, index)} has shape {np.shape(leaf)}. Give it to another transformation with "
                    "optax.partition."
                )

    def _unfit(self, leaf: Any) -> str:
        """What is wrong with a leaf, and the remedy; empty if nothing is."""
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return "is a shape without values. Call jax.eval_shape(optimizer.init, params) for the shapes of the state."
        dtype = dtype_of(leaf)
        if dtype is None:
            return f"is no array: it is {type(leaf).__name__}. {_APART}"
        if _is_complex(dtype):
            if self.layerwise:
                return ""
            return f"holds {dtype}, and the method is for real numbers. Give real and imaginary parts as leaves."
        if not _is_real(dtype) or jnp.finfo(dtype).bits > 64:
            return f"holds {dtype}, which does not move by fractions. {_APART}"
        if math.prod(np.shape(leaf)) == 0 and not self.layerwise:
            return f"of shape {np.shape(leaf)} has no entries, but would count as a layer. {_APART}"
        return ""

    def check_gradients(self, updates: Any, params: Any) -> None:
        """Raise unless there is one gradient for every leaf of the parameters, of its shape.

        Raises
        ------
        InvalidArgumentError
            With the path of the first leaf for which there is not.
        """
        if params is None:
            raise InvalidArgumentError(f"update() of {self.method} needs the parameters: update(grads, state, params).")
        self.check_params(params)
        if jax.tree.structure(updates) != jax.tree.structure(params):
            raise InvalidArgumentError(f"{self.method}: {_mismatch(updates, params)}")
        pairs = zip(jax.tree.leaves(params), jax.tree.leaves(updates), strict=True)
        for index, (leaf, gradient) in enumerate(pairs):
            reason = _unfit_gradient(gradient, leaf)
            if reason:
                raise InvalidArgumentError(f"{self.method}: the gradient of params{_path(params, index)} {reason}")


@cache  # a walk through JAX's kinds, for every leaf of every step
def _is_real(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.floating)


@cache
def _is_complex(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.complexfloating)


def _unfit_gradient(gradient: Any, leaf: Any) -> str:
    dtype = dtype_of(gradient)
    if dtype is None:
        return f"is no array: it is {type(gradient).__name__}."
    if dtype == jax.dtypes.float0:
        return f"is float0, the derivative by an integer. {_APART}"
    if not _is_real(dtype) and not (_is_complex(dtype) and jnp.iscomplexobj(leaf)):
        return f"holds {dtype}, the parameter {dtype_of(leaf)}."
    if np.shape(gradient) != np.shape(leaf):
        return f"has shape {np.shape(gradient)}, the parameter {np.shape(leaf)}."
    return ""


def _mismatch(updates: Any, params: Any) -> str:
    """Which leaf makes the two trees differ."""
    ours, theirs = (dict(named_leaves(tree, is_leaf=_is_hidden)) for tree in (params, updates))
    for path, leaf in ours.items():
        if _is_hidden(leaf):
            continue
        if path not in theirs:
            return f"there is no gradient of params{path}. Gradients and parameters must be trees of one structure."
        if _is_hidden(theirs[path]):
            return (
                f"the gradient of params{path} is {theirs[path]}: the loss was not differentiated by it. Hand over "
                f"parameters without that leaf, or give it a gradient. {_APART}"
            )
    for path, leaf in theirs.items():
        if not _is_hidden(leaf) and (path not in ours or _is_hidden(ours[path])):
            return f"there is a gradient{path}, but no such parameter to move."
    kinds = f"{jax.tree.structure(updates)} and {jax.tree.structure(params)}"
    return f"gradients and parameters are trees of different kinds of nodes: {kinds}."


def named_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, as in ``['a'][0]``."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf):
        yield jax.tree_util.keystr(path), leaf


def _path(tree: Any, index: int) -> str:
    """That of one leaf: to write those of all takes as long as a small step."""
    return next(islice(named_leaves(tree), index, None))[0]


def is_masked(node: Any) -> bool:
    """Whether a mask hides what stands here."""
    return isinstance(node, optax.MaskedNode)


def _is_hidden(node: Any) -> bool:
    return node is None or is_masked(node)


def beside(name: str, shown: Any, params: Any) -> tuple[list[Any], list[Any], Any]:
    """The leaves of a tree in which a mask may hide some, what stands there in ``params``, and the tree's structure.

    Raises
    ------
    InvalidArgumentError
        If ``params`` is another tree; the message calls the first one ``name``.
    """
    leaves, structure = jax.tree.flatten(shown, is_leaf=is_masked)
    try:
        return leaves, structure.flatten_up_to(params), structure
    except ValueError:
        raise InvalidArgumentError(
            f"params must be all parameters, in a tree as {name} is; got {jax.tree.structure(params)}, not "
            f"{structure}. Hand over the tree that init() was given: of equinox a filtered one, of flax.nnx state and "
            "parameters each through nnx.as_pure."
        ) from None


def dtype_of(leaf: Any) -> Any:
    """The dtype of an array or a Python number; None of anything else."""
    if isinstance(leaf, bool | int | float | complex):
        return np.dtype(type(leaf))
    dtype = getattr(leaf, "dtype", None)
    return dtype if dtype is not None and hasattr(leaf, "shape") and dtype != np.dtype(object) else None


def resolve(key: str, given: Mapping[str, Any], *, static: Sequence[str] = ()) -> dict[str, Any]:
    """Hyperparameters in their ranges; of arrays, as ``optax.inject_hyperparams`` makes them, the shape is checked.

    Parameters
    ----------
    key : str
    given : mapping
    static : sequence of str
        Those that choose the program and cannot be arrays.

    Raises
    ------
    InvalidArgumentError
        If a value is out of range, no number, or an array where there may be none.
    """
    for name in static:
        check_static(name, given[name])
    arrays = {name: scalar(name, value) for name, value in given.items() if isinstance(value, jax.Array)}
    return specs.get(key).resolve({name: given[name] for name in given if name not in arrays}) | arrays


def resolve_rate(key: str, given: Mapping[str, Any], *, static: Sequence[str] = ()) -> dict[str, Any]:
    """As :func:`resolve`, of an optimiser whose learning rate may also be a schedule."""
    rate = given["learning_rate"]
    if not callable(rate):
        return resolve(key, given, static=static)
    others = {name: value for name, value in given.items() if name != "learning_rate"}
    return resolve(key, others, static=static) | {"learning_rate": rate}


def check_static(name: str, value: Any) -> None:
    """Raise if a hyperparameter that chooses the program is an array of JAX."""
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)):
        raise InvalidArgumentError(
            f'{name} must be an integer; got an array. With optax.inject_hyperparams say static_args=("{name}",).'
        )


def positive(name: str, value: Any) -> Any:
    """``value`` if it is an array without axes, or as a float if it is a positive finite number; else raise."""
    return scalar(name, value) if isinstance(value, jax.Array) else numbers.positive(name, value)


def scalar(name: str, value: jax.Array) -> jax.Array:
    """An array that is one real number, whatever its value; raises InvalidArgumentError for others."""
    real = jnp.issubdtype(value.dtype, jnp.floating) or jnp.issubdtype(value.dtype, jnp.integer)
    if value.shape != () or not real:
        raise InvalidArgumentError(
            f"{name} must be one real number; got an array of shape {value.shape} and dtype {value.dtype}."
        )
    return value


def require_nonzero(method: str, params: Any, exempt: Sequence[bool] = (), *, remedy: str) -> None:
    """Raise where a leaf is zero and so lies on no sphere; leaves that are being traced cannot be seen.

    Raises
    ------
    InvalidArgumentError
        With the path of the first such leaf.
    """
    leaves = jax.tree.leaves(params)
    for index, (leaf, free) in enumerate(zip(leaves, exempt or [False] * len(leaves), strict=True)):
        if not free and not isinstance(leaf, jax.core.Tracer) and not jnp.any(leaf):
            raise InvalidArgumentError(
                f"{method} keeps the norm of every leaf, and params{_path(params, index)} of shape {np.shape(leaf)} is "
                f"zero. {remedy}"
            )
