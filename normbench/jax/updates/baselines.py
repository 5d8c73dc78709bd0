"""Adam and SGD as optax has them, with the hyperparameters of their declarations.

And Adam's direction by itself, for updates that go another way along it.
"""

from typing import Any, TypeAlias

import jax.numpy as jnp
import optax
from jax import Array

from normbench.jax.updates.library import Library

Number: TypeAlias = float | Array
Arrays: TypeAlias = tuple[Array, ...]


def adam(*, learning_rate: Number, beta1: Number, beta2: Number, epsilon: Number) -> Library:
    """optax.adam."""
    return Library(optax.adam(learning_rate, b1=beta1, b2=beta2, eps=epsilon), learning_rate)


def adam_direction(*, beta1: Number, beta2: Number, epsilon: Number) -> optax.GradientTransformation:
    """m_hat / (sqrt(v_hat) + epsilon) by optax, and zero where it divides by zero: at an epsilon of 0, without v."""
    scaled = optax.scale_by_adam(b1=beta1, b2=beta2, eps=epsilon)

    def update(gradient: Arrays, state: Any, weights: Any = None) -> tuple[Arrays, Any]:
        ratios, new = scaled.update(gradient, state)
        none = (jnp.where((v == 0) & (epsilon == 0), 0, u) for u, v in zip(ratios, new.nu, strict=True))
        return tuple(none), new

    return optax.GradientTransformation(scaled.init, update)


def sgd(*, learning_rate: Number, momentum: Number) -> Library:
    """optax.sgd."""
    return Library(optax.sgd(learning_rate, momentum=momentum), learning_rate)


sgd_momentum = sgd
