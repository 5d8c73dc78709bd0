"""Derivatives of a function of one variable in JAX, by nested forward or reverse mode."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from normbench.errors import InvalidArgumentError

Scalar = Callable[[Array], Array]


def forward(function: Scalar) -> Scalar:
    """d/dt in forward mode."""

    def derivative(t: Array) -> Array:
        try:
            return jax.jvp(function, (t,), (jnp.ones_like(t),))[1]
        except (NotImplementedError, TypeError) as error:
            if "custom_vjp" not in str(error) and "custom_lin" not in str(error):
                raise
            raise InvalidArgumentError(
                'value_fn has a custom_vjp function, which differentiation="forward" cannot pass. Use "reverse".'
            ) from error

    return derivative


reverse: Callable[[Scalar], Scalar] = jax.grad
"""d/dt in reverse mode."""


def at_zero(along: Scalar, zero: Array, order: int, derivative: Callable[[Scalar], Scalar] = forward) -> list[Array]:
    """f'(0), ..., f^(order)(0)."""
    derivatives = []
    for _ in range(order):
        along = derivative(along)
        derivatives.append(along(zero))
    return derivatives
