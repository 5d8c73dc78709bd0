"""A user's function along the curve of method 1, differentiated automatically."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.line_derivatives import Scalar, at_zero
from normbench.jax.spheres import Arrays, curve_point


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
        leaves, structure = jax.tree.flatten(self.params)
        typed = [w.astype(jnp.result_type(leaf)) for w, leaf in zip(weights, leaves, strict=True)]
        return jnp.asarray(self.value_fn(jax.tree.unflatten(structure, typed)), weights[0].dtype)

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
