"""The objective of a network in JAX as a function of the variables of a parametrisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.line_derivatives import at_zero
from normbench.jax.updates.parametrisations import weights_of
from normbench.networks.base import Shape
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import Way

Arrays = tuple[Array, ...]


class Point(NamedTuple):
    """Variables, under the name that every point has for what is optimised, with loss and gradient."""

    weights: Arrays
    loss: Array
    gradient: Arrays


@dataclass(frozen=True)
class Through:
    """What an optimiser asks of an objective, asked of its variables.

    Attributes
    ----------
    objective : object with ``point`` and ``loss``
        Of the plain weights.
    weights : callable
        Plain weights of the variables.
    geometry : Geometry
        Where the variables lie.
    """

    objective: Any
    weights: Callable[[Arrays], Arrays]
    geometry: Geometry

    def loss(self, variables: Arrays) -> Array:
        """Value at the plain weights."""
        return self.objective.loss(self.weights(variables))

    def point(self, variables: Arrays) -> Point:
        """Value, and gradient with respect to the variables."""
        plain, pull_back = jax.vjp(self.weights, variables)
        found = self.objective.point(plain)
        return Point(variables, found.loss, pull_back(tuple(found.gradient))[0])

    def series_derivatives(self, curve: Sequence[Sequence[Array]]) -> list[Array]:
        """Derivatives at t = 0 of the loss along a curve of the variables, from the Taylor coefficients of each."""

        def along(t: Array) -> Array:
            return self.loss(tuple(polynomial(coefficients, t) for coefficients in curve))

        return at_zero(along, jnp.zeros((), curve[0][0].dtype), len(curve[0]) - 1)


def polynomial(coefficients: Sequence[Array], t: Array) -> Array:
    """The sum of coefficient k times t^k, by Horner's rule."""
    total = jnp.zeros_like(coefficients[0])
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total


class Moved(NamedTuple):
    """What an optimiser moves in place of weights of these shapes; hashable, for it chooses the program."""

    way: Way
    shapes: tuple[Shape, ...]


def asked(objective: Any, through: Moved | None) -> Any:
    """The objective of what the optimiser moves."""
    return objective if through is None else Through(objective, _weights(through), through.way.geometry)


@partial(jax.jit, static_argnames="through")
def plain(variables: Arrays, *, through: Moved) -> Arrays:
    """Plain weights."""
    return _weights(through)(variables)


def _weights(through: Moved) -> Callable[[Arrays], Arrays]:
    return weights_of(*through.way, through.shapes)
