"""What a program forbids for its own arrays, promotion of dtypes and ranks, changes no step and no weight."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import AVERAGING, KEYS

import normbench.jax
from normbench.specs.parametrisations import PARAMETRISATIONS

OPTIONS = {"method2": {"mean_square_input": 4.0}, "method2_exp": {"mean_square_input": 4.0}}
FORBIDDEN = {
    "dtypes": lambda: jax.numpy_dtype_promotion("strict"),
    "ranks": lambda: jax.numpy_rank_promotion("raise"),
}
PAIRS = [(p.key, g.value) for p in PARAMETRISATIONS.values() if p.bounded for g in p.geometries]


def start():
    rng = np.random.default_rng(3)
    return [jnp.asarray(rng.normal(size=shape) / shape[1] ** 0.5, jnp.float32) for shape in [(5, 4), (3, 5)]]


def loss(params):
    """Of two dense layers, in words that need no promotion."""
    rng = np.random.default_rng(4)
    x, y = (jnp.asarray(rng.normal(size=(20, n)), jnp.float32) for n in (4, 3))
    return jnp.mean(jnp.square(jnp.tanh(x @ params[0].T) @ params[1].T - y))


def trained(key):
    """Parameters, averages where there are some, and the state, behind two steps of one program."""
    optimizer, params = getattr(normbench.jax, key)(**OPTIONS.get(key, {})), start()

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(2):
        params, state = step(params, state)
    return params, normbench.jax.averaged(state, params) if key in AVERAGING else (), state


@pytest.mark.parametrize("key", KEYS)
def test_a_step_does_what_it_does_where_nothing_is_forbidden(key):
    usual = jax.tree.leaves(trained(key))
    with FORBIDDEN["dtypes"](), FORBIDDEN["ranks"]():
        found = jax.tree.leaves(trained(key))
    for a, b in zip(found, usual, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize(("key", "geometry"), PAIRS)
def test_weights_and_their_gradients_are_the_same(key, geometry):
    def found():
        bounded = normbench.jax.parametrize(key, start(), lipschitz=2.0, geometry=geometry)
        return jax.jit(jax.value_and_grad(lambda variables: loss(bounded.weights(variables))))(bounded.variables)

    usual = jax.tree.leaves(found())
    with FORBIDDEN["dtypes"](), FORBIDDEN["ranks"]():
        for a, b in zip(jax.tree.leaves(found()), usual, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_forbidden_afterwards(name):
    optimizer = normbench.jax.polar_average()
    with FORBIDDEN[name]():
        optimizer.init(start())
        with pytest.raises((TypeError, ValueError), match="promotion"):
            jnp.ones((2, 3), jnp.float32) * jnp.ones(3, jnp.int32 if name == "dtypes" else jnp.float32)
