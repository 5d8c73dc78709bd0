"""Two dense layers in float64 for the clients of JAX, and the loop in optax that their steps are held against."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax

import normbench.jax

SHAPES = {"first": (6, 4), "last": (3, 6)}  # in the order in which all trees have their leaves
STEPS = 3


def start():
    rng = np.random.default_rng(0)
    return {name: jnp.asarray(rng.normal(size=shape) / shape[1] ** 0.5) for name, shape in SHAPES.items()}


def network(x, first, last):
    return jnp.tanh(x @ first.T) @ last.T


def loss(predict):
    """Mean square of the errors of a function of inputs (20, 4)."""
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    return jnp.mean((predict(x) - y) ** 2)


@cache
def transformation(key):
    return getattr(normbench.jax, key)()


@cache
def in_optax(key):
    """The parameters after some steps, as NumPy has them."""

    def value_fn(params):
        return loss(lambda x: network(x, **params))

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(value_fn)(params)
        updates, state = transformation(key).update(grads, state, params, value=value, value_fn=value_fn)
        return optax.apply_updates(params, updates), state

    params, state = start(), transformation(key).init(start())
    for _ in range(STEPS):
        params, state = step(params, state)
    return {name: np.asarray(leaf) for name, leaf in params.items()}


def assert_same_steps(key, found):
    """The parameters that a client has come to are those of the loop, and not those of the start."""
    expected = in_optax(key)
    for name, before in start().items():
        assert found[name].dtype == np.float64
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)
        assert not np.allclose(found[name], before, rtol=1e-4)
