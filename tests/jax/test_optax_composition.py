"""The optax transformations beside others: parts of a tree, schedules, accumulation, dtypes, compiled loops."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import AVERAGING, BALLS, KEYS
from small_convnet import parameters, samples

import normbench.jax
from normbench.errors import InvalidArgumentError

MIXED = tuple(key for key in KEYS if key != "fgsgd")  # which has a scale of its own
SAME = 1e-12


def step(optimizer, loss, params, state):
    """What a user writes; method 1 needs the value and the function, the others ignore them."""
    value, grads = jax.value_and_grad(loss)(params)
    updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
    return optax.apply_updates(params, updates), state


def run(optimizer, loss, params, steps):
    advance, state = jax.jit(partial(step, optimizer, loss)), jax.jit(optimizer.init)(params)
    for _ in range(steps):
        params, state = advance(params, state)
    return params, state


def assert_close(left, right, tolerance=SAME):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def biased(params, batch):
    """Cross-entropy of two dense layers with biases on flattened images."""
    x, y = batch
    hidden = jax.nn.relu(x.reshape(len(x), -1) @ params["in"]["kernel"].T + params["in"]["bias"])
    logits = hidden @ params["out"]["kernel"].T + params["out"]["bias"]
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.argmax(y, axis=1)))


def unbiased(matrices, batch):
    """Mean square of the outputs' errors of two dense layers."""
    x, y = batch
    hidden = jax.nn.relu(x.reshape(len(x), -1) @ matrices["in"].astype(x.dtype).T)
    return jnp.mean(jnp.square(hidden @ matrices["out"].astype(x.dtype).T - y))


def matrices(dtype=np.float64):
    rng = np.random.default_rng(51)
    return {
        "in": (rng.normal(size=(6, 72)) / 9).astype(dtype),
        "out": (rng.normal(size=(3, 6)) / 2).astype(dtype),
    }


def dense():
    return {name: {"kernel": w, "bias": np.zeros(len(w))} for name, w in matrices().items()}


def kernels(params):
    return {name: layer["kernel"] for name, layer in params.items()}


def labels(params):
    return jax.tree.map(lambda p: "vectors" if p.ndim < 2 else "matrices", params)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["agd", "fromage", "method2_exp", *AVERAGING])
def test_matrices_take_their_own_steps_while_biases_train_with_adam(key):
    params, own = dense(), getattr(normbench.jax, key)()
    both = optax.partition({"matrices": own, "vectors": optax.adam(1e-2)}, labels)

    @jax.jit
    def start(params):
        return both.init(params), own.init(kernels(params))

    @jax.jit
    def advance(params, states):
        loss = partial(biased, batch=samples(0))
        value, grads = jax.value_and_grad(loss)(params)
        updates, first = both.update(grads, states[0], params, value_fn=normbench.jax.unmasked(loss, params))
        of_kernels = lambda own: loss({name: params[name] | {"kernel": w} for name, w in own.items()})  # noqa: E731
        alone, second = own.update(kernels(grads), states[1], kernels(params), value_fn=of_kernels)
        return optax.apply_updates(params, updates), (first, second), value, updates, alone

    params, states, first, updates, alone = advance(params, start(params))
    assert_close(kernels(updates), alone)  # with L of agd the number of matrices
    assert all(float(np.abs(layer["bias"]).max()) == pytest.approx(1e-2) for layer in updates.values())
    for _ in range(30):
        params, states, value, *_ = advance(params, states)
    assert value < first


def test_an_injected_order_raises_with_the_remedy():
    with pytest.raises(InvalidArgumentError, match=r'static_args=\("order",\)'):
        optax.inject_hyperparams(normbench.jax.method1)(trust_region=0.1).init(parameters(0, np.float32))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["fromage", "lars"])
def test_gradients_accumulated_by_optax_take_the_step_of_the_whole_batch(key):
    x, y = samples(1, number=24)
    params, own = matrices(), getattr(normbench.jax, key)()
    multi = optax.MultiSteps(own, every_k_schedule=3)
    update, grad, state = jax.jit(multi.update), jax.jit(jax.grad(unbiased)), multi.init(params)
    for k in range(3):
        updates, state = update(grad(params, (x[8 * k : 8 * k + 8], y[8 * k : 8 * k + 8])), state, params)
        assert (k == 2) == any(np.asarray(u).any() for u in jax.tree.leaves(updates))
    expected, _ = run(own, partial(unbiased, batch=(x, y)), params, 1)
    found = {name: w + np.asarray(updates[name]) for name, w in params.items()}
    assert_close(found, expected, 1e-6)  # optax accumulates in single precision


@pytest.mark.parametrize("key", MIXED)
def test_mixed_dtypes_keep_their_types_and_train(key):
    """Whether 64-bit types are off or on, and then under a loss in double precision.

    That those of balls train with leaves of three precisions is in test_optax_balls.py.
    """
    optimizer, params = getattr(normbench.jax, key)(), matrices(np.float32)
    params["in"] = params["in"].astype(jnp.bfloat16)
    types = jax.tree.map(lambda p: p.dtype, params)
    single = partial(unbiased, batch=samples(3, dtype=np.float32))
    kept, _ = jax.eval_shape(partial(step, optimizer, single), params, jax.eval_shape(optimizer.init, params))
    assert jax.tree.map(lambda p: p.dtype, kept) == types
    with jax.enable_x64(True):
        double = partial(unbiased, batch=samples(3))
        state = jax.eval_shape(optimizer.init, params)
        kept, state = jax.eval_shape(partial(step, optimizer, double), params, state)
        assert jax.tree.map(lambda p: p.dtype, kept) == types
        numbers = {leaf.dtype for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)}
        assert numbers <= {jnp.dtype(jnp.float32)}
        if key in BALLS:
            return
        found, _ = run(optimizer, double, params, 10)
        before, after = (jax.jit(unbiased)(tree, samples(3)) for tree in (params, found))
        assert after < before
