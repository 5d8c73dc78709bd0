"""The optax transformations beside others: parts of a tree, schedules, accumulation, dtypes, compiled loops."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_convnet import cross_entropy, parameters, samples

import normbench.jax
from normbench.errors import InvalidArgumentError

KEYS = ("method1", "method2", "method2_exp", "agd", "fromage", "lars")
SAME = 1e-12


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def step(optimizer, loss, params, state):
    """What a user writes; method 1 needs the value and the function, the others ignore them."""
    value, grads = jax.value_and_grad(loss)(params)
    updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
    return optax.apply_updates(params, updates), state


def run(optimizer, loss, params, steps):
    advance, state = jax.jit(partial(step, optimizer, loss)), optimizer.init(params)
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
        "in": jnp.asarray(rng.normal(size=(6, 72)) / 9, dtype),
        "out": jnp.asarray(rng.normal(size=(3, 6)) / 2, dtype),
    }


def dense():
    return {name: {"kernel": w, "bias": jnp.zeros(len(w))} for name, w in matrices().items()}


def kernels(params):
    return {name: layer["kernel"] for name, layer in params.items()}


def labels(params):
    return jax.tree.map(lambda p: "vectors" if p.ndim < 2 else "matrices", params)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["agd", "method2", "fromage"])
def test_biases_train_with_adam_while_the_matrices_take_their_own_steps(key):
    params, loss = dense(), partial(biased, batch=samples(0))
    own = getattr(normbench.jax, key)()
    both = optax.partition({"matrices": own, "vectors": optax.adam(1e-2)}, labels)
    grads = jax.jit(jax.grad(loss))(params)
    updates, _ = jax.jit(both.update)(grads, both.init(params), params)
    alone, _ = own.update(kernels(grads), own.init(kernels(params)), kernels(params))
    assert_close(kernels(updates), alone)  # with L of agd the number of matrices
    assert all(float(jnp.abs(layer["bias"]).max()) == pytest.approx(1e-2) for layer in updates.values())
    trained, _ = run(both, loss, params, 30)
    assert loss(trained) < loss(params)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["agd", "method2_exp"])
def test_a_masked_transformation_passes_the_other_gradients_on(key):
    params, loss = dense(), partial(biased, batch=samples(0))
    own = getattr(normbench.jax, key)()
    masked = optax.masked(own, jax.tree.map(lambda p: p.ndim > 1, params))
    grads = jax.jit(jax.grad(loss))(params)
    updates, _ = masked.update(grads, masked.init(params), params)
    assert_close({n: u["bias"] for n, u in updates.items()}, {n: g["bias"] for n, g in grads.items()})
    alone, _ = own.update(kernels(grads), own.init(kernels(params)), kernels(params))
    assert_close(kernels(updates), alone)


INJECTED = {
    "method1": {"trust_region": 0.01},
    "method2": {"mean_square_input": 3.0, "curvature": 0.5, "gain": 2.0},
    "method2_exp": {"mean_square_input": 3.0, "curvature": 0.5},
    "fromage": {"learning_rate": 0.03, "p_bound": 1.0},
    "lars": {"learning_rate": 0.03},
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", INJECTED)
def test_injected_hyperparameters_do_what_given_ones_do(key):
    make, hyper = getattr(normbench.jax, key), INJECTED[key]
    params, loss = matrices(), partial(unbiased, batch=samples(0))
    injected = optax.inject_hyperparams(make, static_args=("order",) if key == "method1" else ())(**hyper)
    found, state = run(injected, loss, params, 3)
    assert set(hyper) <= set(state.hyperparams)
    assert_close(found, run(make(**hyper), loss, params, 3)[0])


@pytest.mark.usefixtures("float64")
def test_a_schedule_sets_the_rate_of_fromage():
    params, loss = matrices(), partial(unbiased, batch=samples(0))
    scheduled = optax.inject_hyperparams(normbench.jax.fromage)(learning_rate=lambda count: 0.1 / (1 + count))
    expected = params
    for k in range(2):
        expected, _ = run(normbench.jax.fromage(learning_rate=0.1 / (1 + k)), loss, expected, 1)
    assert_close(run(scheduled, loss, params, 2)[0], expected)


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
        assert (k == 2) == any(u.any() for u in jax.tree.leaves(updates))
    expected, _ = run(own, partial(unbiased, batch=(x, y)), params, 1)
    assert_close(optax.apply_updates(params, updates), expected, 1e-6)  # optax accumulates in single precision


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["method1", "agd"])
def test_kernels_scan_and_vmap(key):
    loss, optimizer = partial(cross_entropy, batch=samples(2)), getattr(normbench.jax, key)()

    def steps(params, state):
        return jax.lax.scan(lambda carry, _: (step(optimizer, loss, *carry), None), (params, state), length=3)[0]

    starts = [parameters(seed) for seed in (0, 1)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    together = jax.jit(jax.vmap(lambda params: steps(params, optimizer.init(params))))(batch)
    for k, params in enumerate(starts):
        assert_close(jax.tree.map(lambda leaf, k=k: leaf[k], together[0]), run(optimizer, loss, params, 3)[0])


@pytest.mark.parametrize("key", KEYS)
def test_mixed_dtypes_keep_their_types_and_train(key):
    loss, optimizer = partial(unbiased, batch=samples(3, dtype=np.float32)), getattr(normbench.jax, key)()
    params = matrices(np.float32)
    params["in"] = params["in"].astype(jnp.bfloat16)
    found, _ = run(optimizer, loss, params, 10)
    assert jax.tree.map(lambda p: p.dtype, found) == jax.tree.map(lambda p: p.dtype, params)
    assert loss(found) < loss(params)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", KEYS)
def test_a_loss_in_double_precision_leaves_single_precision_weights_single(key):
    loss, optimizer = partial(unbiased, batch=samples(4)), getattr(normbench.jax, key)()
    params = matrices(np.float32)
    found, state = run(optimizer, loss, params, 3)
    assert {leaf.dtype for leaf in jax.tree.leaves((found, state))} == {jnp.dtype(jnp.float32)}
    assert loss(found) < loss(params)
