"""A user's function along the curves of a method, differentiated automatically, and the checks of what it returns."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.errors import InvalidArgumentError
from normbench.jax.line_derivatives import Scalar, at_zero
from normbench.jax.transformations.gate import is_masked
from normbench.jax.updates.spheres import Arrays, curve_point
from normbench.jax.updates.through import Point, polynomial
from normbench.specs.base import Geometry


class Evaluated(NamedTuple):
    """Weights and value of one evaluation; the gradient is that of the start, the only one the step asks for."""

    weights: Arrays
    loss: Array
    gradient: Arrays


class ValueCurve(NamedTuple):
    """The objective that method 1 walks along: a function of ``params``, and which leaves move on straight lines."""

    value_fn: Callable[[Any], Array]
    params: Any
    gradient: Arrays
    straight: tuple[bool, ...]
    derivative: Callable[[Scalar], Scalar]

    def value(self, weights: Sequence[Array]) -> Array:
        """The user's function at ``weights``, handed over in the dtypes of ``params``."""
        return value_at(self.value_fn, self.params, weights)

    def point(self, weights: Arrays) -> Evaluated:
        """Evaluate at ``weights``."""
        return Evaluated(weights, self.value(weights), self.gradient)

    def curve_derivatives(
        self, point: Evaluated, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of the value along the curve, of order 1 to ``order``."""

        def along(t: Array) -> Array:
            layers = zip(point.weights, velocity, moving, self.straight, strict=True)
            return self.value([jnp.where(m, curve_point(w, v, t, straight=line), w) for w, v, m, line in layers])

        return at_zero(along, jnp.zeros_like(point.loss), order, self.derivative)


class ValueSeries(NamedTuple):
    """The objective of an optimiser whose variables are the leaves as matrices, in units of their radii.

    Attributes
    ----------
    value_fn : function of ``params``
    params : tree
    gradient : tuple of arrays
        With respect to the variables, at the start.
    radii : tuple of arrays
    geometry : Geometry
        Where the variables lie.
    ends : function
        Variables -> what becomes of the leaves there, in matrices; they are rounded.
    derivative : function
        Mode of the derivatives.
    """

    value_fn: Callable[[Any], Array]
    params: Any
    gradient: Arrays
    radii: Arrays
    geometry: Geometry
    ends: Callable[[Arrays], Arrays]
    derivative: Callable[[Scalar], Scalar]

    def point(self, variables: Arrays) -> Point:
        """Evaluate where the leaves are when the variables are these; the gradient is that of the start."""
        return Point(variables, value_at(self.value_fn, self.params, self.ends(variables)), self.gradient)

    def series_derivatives(self, curve: Sequence[Sequence[Array]]) -> list[Array]:
        """Derivatives at t = 0 of the value along a curve of the variables, from the Taylor coefficients of each."""

        def along(t: Array) -> Array:
            layers = zip(curve, self.radii, strict=True)
            moved = [radius * polynomial(coefficients, t) for coefficients, radius in layers]
            return value_at(self.value_fn, self.params, moved)

        return at_zero(along, jnp.zeros((), curve[0][0].dtype), len(curve[0]) - 1, self.derivative)


def value_at(value_fn: Callable[[Any], Any], params: Any, weights: Sequence[Array]) -> Array:
    """A user's function at weights, handed over in the shapes and dtypes of ``params``; its value in theirs."""
    leaves, structure = jax.tree.flatten(params)
    typed = [w.reshape(jnp.shape(p)).astype(jnp.result_type(p)) for w, p in zip(weights, leaves, strict=True)]
    try:
        found = value_fn(jax.tree.unflatten(structure, typed))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        hidden = any(map(is_masked, jax.tree.leaves(params, is_leaf=is_masked)))
        if not hidden or not any(name in str(error) for name in ("MaskedNode", "tuple ind")):  # which is a tuple
            raise
        raise InvalidArgumentError(
            f"value_fn was called with a tree in which a mask hides leaves, and raised "
            f"{type(error).__name__}: {error}. Hand over value_fn=normbench.jax.unmasked(value_fn, params)."
        ) from error
    return jnp.asarray(checked_value("what value_fn returns", found), weights[0].dtype)


def bound(value_fn: Any, extra: Mapping[str, Any]) -> Callable[[Any], Any]:
    """``value_fn`` with those of the extra arguments that it names, as the line searches of optax hand them over.

    Raises
    ------
    InvalidArgumentError
        If it is no function.
    """
    if not callable(value_fn):
        raise InvalidArgumentError(
            f"value_fn must be a function of the parameters; got {value_fn!r}. "
            "Call update(grads, state, params, value=value, value_fn=f)."
        )
    try:
        names = inspect.signature(value_fn).parameters
    except ValueError:  # a function of another language
        return value_fn
    own = {name: argument for name, argument in extra.items() if name in names}
    return partial(value_fn, **own) if own else value_fn


def checked_value(name: str, value: Any) -> Any:
    """``value`` if it is one real number, traced or not.

    Raises
    ------
    InvalidArgumentError
        The message calls it ``name``.
    """
    if isinstance(value, tuple | list):
        raise InvalidArgumentError(
            f"{name} must be one real number; got a {type(value).__name__} of {len(value)}. Of a function with has_aux "
            "take the value alone: value_fn=lambda params: f(params)[0]."
        )
    dtype = jnp.result_type(value) if isinstance(value, float | int) or hasattr(value, "dtype") else None
    if dtype is None or not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        raise InvalidArgumentError(
            f"{name} must be one real number; got {value if dtype is None else f'an array of {dtype}'}. "
            "Call update(grads, state, params, value=value, value_fn=f)."
        )
    if jnp.shape(value) != ():
        raise InvalidArgumentError(
            f"{name} must be one real number; got an array of shape {jnp.shape(value)}. Take its mean or sum."
        )
    return value
