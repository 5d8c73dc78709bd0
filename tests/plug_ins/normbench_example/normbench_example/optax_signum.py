"""Signum as optax has its optimisers."""

import jax
import jax.numpy as jnp
import optax


def signum(learning_rate, momentum=0.9, nesterov=False):
    """m = momentum m + (1 - momentum) G,  W = W - learning_rate sign(m)."""

    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def average(old, new):
        return jax.tree.map(lambda m, g: momentum * m + (1 - momentum) * g, old, new)

    def update(gradient, m, params=None):
        m = average(m, gradient)
        ahead = average(m, gradient) if nesterov else m
        return jax.tree.map(lambda a: -learning_rate * jnp.sign(a), ahead), m

    return optax.GradientTransformation(init, update)
