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
        moved = optax.apply_updates(params, updates)
        return (moved, state), (state.step_size, moved)

    return jax.lax.scan(step, (params, optimizer.init(params)), feature_std, length=length)


def start(seed=0):
    return list(CASE.weights if seed == 0 else Case("sphere", "pio", seed=seed).weights)


def expected(seed, length, **given):
    """What the reference says of one start: weights and rates."""
    case = Case("sphere", "pio")
    case.__dict__["weights"] = tuple(start(seed))
    return case.run_reference(length, **given)


def test_a_jitted_scan_under_vmap_agrees_with_the_reference_from_every_start():
    starts = tuple(map(np.stack, zip(*map(start, range(3)), strict=True)))
    (_, state), (rates, ways) = jax.jit(jax.vmap(partial(steps, fgsgd(**CASE.hyper))))(list(starts))
    for seed in range(3):
        for length, tolerance in ((5, 1e-12), (STEPS, 1e-10)):
            weights, wanted = expected(seed, length)
            for found, weight in zip(ways, weights, strict=True):
                np.testing.assert_allclose(found[seed, length - 1], weight, rtol=0, atol=tolerance)
            np.testing.assert_allclose(rates[seed, :length], wanted, rtol=1e-14)
    assert state.count.tolist() == [STEPS] * 3


def test_feature_std_is_handed_on_as_a_tree():
    feature_std = np.random.default_rng(3).uniform(0.5, 3.0, size=(8, 3))
    (params, _), _ = jax.jit(partial(steps, fgsgd(**CASE.hyper), length=8))(start(), list(feature_std.T.copy()))
    for found, weight in zip(params, expected(0, 8, feature_std=feature_std)[0], strict=True):
        np.testing.assert_allclose(found, weight, rtol=0, atol=1e-12)


def test_works_in_a_chain_on_any_tree_and_off_the_manifold():
    """The example in its docstring works without jit."""
    case = Case("sphere", "pio", ((4, 6), (2, 4)))
    first, second = case.draw(1)
    tree = {"a": first, "b": {"kernel": second}}
    optimizer = optax.chain(optax.identity(), fgsgd(**case.hyper))
    grads = jax.tree.map(np.cos, tree)
    updates, _ = jax.jit(partial(optimizer.update, value=1.0, something=2))(grads, optimizer.init(tree), tree)
    moved = jax.tree.leaves(jax.tree.map(np.add, tree, updates))
    assert largest_departure(moved, case) < 1e-14  # one step puts the weights where they belong


def test_the_dtypes_stay():
    case, dtypes = Case("stiefel", "pio", KERNELS[:2]), (jnp.float32, jnp.bfloat16)
    for kinds in (dtypes, dtypes[::-1]):
        params = [w.astype(dtype) for w, dtype in zip(case.weights, kinds, strict=True)]
        optimizer = fgsgd(**case.hyper)

        @jax.jit
        def step(params, state):
            updates, state = optimizer.update([jnp.sin(3 * p + 1) for p in params], state, params)  # noqa: B023
            return optax.apply_updates(params, updates), state

        state = optimizer.init(params)
        for _ in range(3):
            params, state = step(params, state)
        assert [p.dtype for p in params] == list(map(jnp.dtype, kinds))
        assert state.count.dtype == jnp.int32
        for k, dtype in enumerate(kinds):
            one = [np.asarray(params[k], np.float64) if k == n else w for n, w in enumerate(case.weights)]
            assert largest_departure(one, case) <= 20 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize("positions", [16, [1, 16]], ids=str)
def test_positions_count_for_kernels_alone(positions):
    case = Case("sphere", "pio", ((4, 3), (4, 2, 3, 3)))
    params = list(case.onto(case.draw(1), (1, 16)))
    optimizer = fgsgd(**case.hyper, positions=positions)
    updates, _ = jax.jit(optimizer.update)([np.ones_like(p) for p in params], optimizer.init(params), params)
    assert largest_departure([p + u for p, u in zip(params, updates, strict=True)], case, (1, 16)) < 1e-14


@pytest.mark.parametrize("shape", [(4,), (), (3, 2, 2)], ids=str)
def test_a_leaf_without_components_is_named(shape):
    with pytest.raises(InvalidArgumentError, match=r"params\['b'\] has shape"):
        fgsgd().init({"a": np.ones((2, 3)), "b": np.ones(shape)})


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
