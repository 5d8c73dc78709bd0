"""Adam and SGD as optax has them, with the hyperparameters of their declarations."""

from typing import TypeAlias

import optax
from jax import Array

from normbench.jax.updates.library import Library

Number: TypeAlias = float | Array


def adam(*, learning_rate: Number, beta1: Number, beta2: Number, epsilon: Number) -> Library:
    """optax.adam."""
    return Library(optax.adam(learning_rate, b1=beta1, b2=beta2, eps=epsilon), learning_rate)


def sgd(*, learning_rate: Number, momentum: Number) -> Library:
    """optax.sgd."""
    return Library(optax.sgd(learning_rate, momentum=momentum), learning_rate)


sgd_momentum = sgd
