"""Every optax transformation through the steps of the pages: modules of Equinox and Flax, a model of Keras."""

import jax
import numpy as np
import pytest

from normbench import specs
from normbench.jax import averaged
from tests.clients.jax_loops import STEPS, assert_same_steps, loss, network, start, transformation
from tests.jax.jax_members import AVERAGING, VALUED

OF_EACH_KIND = VALUED[0], next(key for key in specs.AUTOMATIC if key not in VALUED)  # keras hands over a list of arrays
each = pytest.mark.parametrize("key", specs.AUTOMATIC)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def module_of_equinox(in_equinox):
    class Module(in_equinox["eqx"].Module):
        first: jax.Array
        last: jax.Array
        activation: object = jax.numpy.tanh  # which is no array, nor is the size
        size: int = 3

        def __call__(self, x):
            return network(x, self.first, self.last)

    return Module


@each
def test_steps_in_equinox_are_those_of_optax(in_equinox, module_of_equinox, key):
    model, _ = in_equinox["fit"](module_of_equinox(**start()), transformation(key), loss, STEPS)
    assert_same_steps(key, {"first": model.first, "last": model.last})
    assert (model.activation, model.size) == (jax.numpy.tanh, 3)


@pytest.fixture(scope="module")
def module_of_flax(in_flax):
    nnx = in_flax["nnx"]

    class Module(nnx.Module):
        def __init__(self):
            self.first, self.last = map(nnx.Param, start().values())
            self.calls = nnx.BatchStat(np.zeros(3))  # which is no parameter

        def __call__(self, x):
            return network(x, self.first[...], self.last[...])

    return Module


@each
def test_steps_in_flax_are_those_of_optax(in_flax, module_of_flax, key):
    model = module_of_flax()
    optimizer = in_flax["fit"](model, transformation(key), loss, STEPS)
    assert_same_steps(key, {"first": model.first[...], "last": model.last[...]})
    assert optimizer.step[...] == STEPS


@pytest.mark.parametrize("key", AVERAGING)
def test_averages_are_found_through_the_states_of_the_clients(
    in_equinox, module_of_equinox, in_flax, module_of_flax, key
):
    eqx, nnx = in_equinox["eqx"], in_flax["nnx"]
    model, state = in_equinox["fit"](module_of_equinox(**start()), transformation(key), loss, STEPS)
    average = averaged(state, eqx.filter(model, eqx.is_inexact_array))
    assert eqx.combine(average, model).size == 3
    flax = module_of_flax()
    optimizer = in_flax["fit"](flax, transformation(key), loss, STEPS)
    other = averaged(nnx.as_pure(optimizer.opt_state), nnx.as_pure(nnx.state(flax, nnx.Param)))
    for name in start():
        np.testing.assert_allclose(other[name], getattr(average, name), rtol=1e-12)
        assert not np.allclose(other[name], getattr(flax, name)[...])
    nnx.update(flax, other)
    np.testing.assert_array_equal(flax.first[...], other["first"])


@pytest.fixture
def keras_in_float64(in_keras):
    keras = in_keras["keras"]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield keras
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("key", OF_EACH_KIND)
def test_steps_in_keras_are_those_of_optax(in_keras, keras_in_float64, key):
    keras = keras_in_float64
    tanh = jax.numpy.tanh  # Keras' own is computed in float32
    layers = keras.layers.Dense(6, activation=tanh, use_bias=False), keras.layers.Dense(3, use_bias=False)
    model = keras.Sequential([keras.Input((4,), dtype="float64"), *layers])

    def value_fn(weights):
        return loss(lambda x: model.stateless_call([W.T for W in weights], [], x)[0])

    trained = in_keras["fit"](list(start().values()), transformation(key), value_fn, STEPS)
    in_keras["put"](model, [W.T for W in trained])
    assert_same_steps(key, dict(zip(start(), trained, strict=True)))
    for variable, weight in zip(model.trainable_variables, trained, strict=True):
        np.testing.assert_allclose(variable.value, weight.T, rtol=1e-15)
