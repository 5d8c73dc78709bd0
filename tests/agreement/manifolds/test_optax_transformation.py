"""The fgsgd transformation of JAX in a user's own loop, under jit, scan and vmap."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from normbench.errors import InvalidArgumentError
from normbench.jax import fgsgd
from tests.agreement.manifolds.conftest import KERNELS, Case, largest_departure

STEPS = 60


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


CASE = Case("sphere", "pio")


def gradient(params):
    return [T + jnp.sin(3 * W) / 2 for T, W in zip(CASE.targets, params, strict=True)]


def steps(optimizer, params, feature_std=None, length=STEPS):
    """A scan over steps."""

    def step(carry, std):
        params, state = carry
        extra = {} if std is None else {"feature_std": std}
        updates, state = optimizer.update(gradient(params), state, params, **extra)
        return (optax.apply_updates(params, updates), state), state.step_size

    return jax.lax.scan(step, (params, optimizer.init(params)), feature_std, length=length)


def start(seed=0):
    weights = CASE.onto(CASE.draw(1)) if seed == 0 else Case("sphere", "pio", seed=seed).weights
    return [jnp.asarray(w) for w in weights]


def test_a_jitted_scan_agrees_with_the_reference():
    (params, state), rates = jax.jit(partial(steps, fgsgd(**CASE.hyper)))(start())
    expected, expected_rates = CASE.run_reference(STEPS)
    for found, weight in zip(params, expected, strict=True):
        np.testing.assert_allclose(found, weight, rtol=0, atol=1e-10)
    np.testing.assert_allclose(rates, expected_rates, rtol=1e-14)
    assert int(state.count) == STEPS


def test_feature_std_is_handed_on_as_a_tree():
    feature_std = np.random.default_rng(3).uniform(0.5, 3.0, size=(8, 3))
    columns = [jnp.asarray(c) for c in feature_std.T]
    (params, _), _ = jax.jit(partial(steps, fgsgd(**CASE.hyper), length=8))(start(), columns)
    expected, _ = CASE.run_reference(8, feature_std=feature_std)
    for found, weight in zip(params, expected, strict=True):
        np.testing.assert_allclose(found, weight, rtol=0, atol=1e-12)


def test_vmap_over_starts_equals_one_at_a_time():
    run = jax.jit(partial(steps, fgsgd(**CASE.hyper), length=5))
    starts = [start(seed) for seed in range(3)]
    together = jax.jit(jax.vmap(run))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts))
    for k, params in enumerate(starts):
        single = run(params)
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(single), strict=True):
            np.testing.assert_allclose(a[k], b, rtol=0, atol=1e-12)


def test_works_without_jit_in_a_chain_on_any_tree_and_off_the_manifold():
    case = Case("sphere", "pio", ((4, 6), (2, 4)))
    first, second = (jnp.asarray(w) for w in case.draw(1))
    tree = {"a": first, "b": {"kernel": second}}
    optimizer = optax.chain(optax.identity(), fgsgd(**case.hyper))
    grads = jax.tree.map(jnp.cos, tree)
    updates, _ = optimizer.update(grads, optimizer.init(tree), tree, value=1.0, something=2)
    moved = jax.tree.leaves(optax.apply_updates(tree, updates))
    assert largest_departure(moved, case) < 1e-14  # one step puts the weights where they belong


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_stays(dtype):
    case = Case("stiefel", "pio", KERNELS[:2])
    params = [jnp.asarray(w, dtype) for w in case.weights]
    optimizer = fgsgd(**case.hyper)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for _ in range(3):
        updates, state = update([jnp.sin(3 * p + 1) for p in params], state, params)
        params = optax.apply_updates(params, updates)
    assert {p.dtype for p in params} == {jnp.dtype(dtype)}
    assert state.count.dtype == jnp.int32
    assert largest_departure([p.astype(jnp.float32) for p in params], case) <= 20 * float(jnp.finfo(dtype).eps)


def test_a_rate_can_be_injected():
    static = ("manifold", "grouping", "groups", "partition_seed", "positions")
    optimizer = optax.inject_hyperparams(fgsgd, static_args=static)(
        learning_rate=0.5, **{k: v for k, v in CASE.hyper.items() if k != "learning_rate"}
    )
    state = optimizer.init(start())
    updates, _ = jax.jit(optimizer.update)(gradient(start()), state, start())
    expected, _ = jax.jit(fgsgd(**CASE.hyper).update)(gradient(start()), fgsgd(**CASE.hyper).init(start()), start())
    for a, b in zip(updates, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)


@pytest.mark.parametrize("positions", [16, [1, 16]], ids=str)
def test_positions_count_for_kernels_alone(positions):
    case = Case("sphere", "pio", ((4, 3), (4, 2, 3, 3)))
    params = [jnp.asarray(w) for w in case.onto(case.draw(1), (1, 16))]
    optimizer = fgsgd(**case.hyper, positions=positions)
    updates, _ = jax.jit(optimizer.update)([jnp.ones_like(p) for p in params], optimizer.init(params), params)
    assert largest_departure(optax.apply_updates(params, updates), case, (1, 16)) < 1e-14


@pytest.mark.parametrize("shape", [(4,), (), (3, 2, 2)], ids=str)
def test_a_leaf_without_components_is_named(shape):
    with pytest.raises(InvalidArgumentError, match=r"params\['b'\] has shape"):
        fgsgd().init({"a": jnp.ones((2, 3)), "b": jnp.ones(shape)})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate must lie in"),
        ({"decay": 0.5}, "decay must lie in"),
        ({"manifold": "cube"}, "manifold must be one of"),
        ({"groups": 0}, "groups must lie in"),
        ({"positions": 0}, "positions must be integers"),
        ({"positions": [1, 2.0]}, "positions must be integers"),
    ],
    ids=str,
)
def test_a_bad_hyperparameter_raises(wrong, message):
    with pytest.raises(InvalidArgumentError, match=message):
        fgsgd(**wrong)


def test_deviations_and_positions_must_fit_the_leaves():
    params = start()
    optimizer = fgsgd()
    with pytest.raises(InvalidArgumentError, match="feature_std must hold one number per leaf, 3 in all; got 2"):
        optimizer.update(params, optimizer.init(params), params, feature_std=[1.0, 1.0])
    with pytest.raises(InvalidArgumentError, match="positions must hold one number per leaf"):
        fgsgd(positions=[1, 1]).update(params, optimizer.init(params), params)
    with pytest.raises(InvalidArgumentError, match=r"needs the parameters: update\(grads, state, params\)"):
        optimizer.update(params, optimizer.init(params))
