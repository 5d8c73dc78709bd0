"""What may enter the optax transformations: trees, leaves and gradients that fit, and a clear word about the others."""

import pickle
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import AVERAGING, BALLS, KEYS, MATRICES, NORMED

import normbench.jax
from normbench.errors import InvalidArgumentError

LAYERWISE = ("fromage", "lars")


def loss(params):
    return sum(jnp.sum(jnp.sin(jnp.abs(p) * 1.0)) for p in jax.tree.leaves(params))


def make(key, **options):
    return getattr(normbench.jax, key)(**options)


def params():
    rng = np.random.default_rng(7)
    return {name: rng.normal(size=(3, 4)).astype(np.float32) for name in ("w", "other")}


def gradient(tree):
    """Of the loss."""
    return {name: np.cos(np.abs(p)) * np.sign(p) for name, p in tree.items()}


def update(optimizer, grads, state, tree, value=1.0):
    return optimizer.update(grads, state, tree, value=value, value_fn=loss)


@cache
def program(key, **options):
    """A transformation, its ``update`` as one program for all tests of it, and what grows with every compilation."""
    optimizer, traces = make(key, **({"p_bound": 1.0} if key == "fromage" else options)), []

    @jax.jit
    def step(grads, state, tree):
        traces.append(key)
        return update(optimizer, grads, state, tree, loss(tree))

    return optimizer, step, traces


W = np.ones((3, 4), np.float32)
WRONG_GRADIENTS = {
    "none": {"w": W, "other": None},
    "missing": {"w": W},
    "masked": {"w": W, "other": optax.MaskedNode()},
    "float0": {"w": W, "other": np.zeros((3, 4), jax.dtypes.float0)},
    "integers": {"w": W, "other": W.astype(int)},
    "booleans": {"w": W, "other": W > 0},
    "complex": {"w": W, "other": W * 1j},
    "text": {"w": W, "other": "gradient"},
    "object": {"w": W, "other": W.astype(object)},
    "transposed": {"w": W, "other": W.T},
    "flattened": {"w": W, "other": W.ravel()},
    "scalar": {"w": W, "other": np.float32(1)},
    "broadcast": {"w": W, "other": W[:1]},
    "deeper": {"w": W, "other": {"kernel": W}},
}


@pytest.mark.parametrize("wrong", WRONG_GRADIENTS.values(), ids=WRONG_GRADIENTS)
@pytest.mark.parametrize("key", KEYS)
def test_a_gradient_that_is_not_that_of_its_leaf_is_refused_by_path(key, wrong):
    optimizer, tree = make(key), params()
    state = jax.eval_shape(optimizer.init, tree)
    with pytest.raises(InvalidArgumentError, match=rf"{key}: .*\['other'\]"):
        update(optimizer, wrong, state, tree)


@pytest.mark.parametrize("key", KEYS)
def test_gradients_of_another_tree_are_refused(key):
    optimizer, tree = make(key), params()
    state = jax.eval_shape(optimizer.init, tree)
    for wrong in ([W, W], (W, W), W, {"w": W, "other": W, "more": W}, [W], None):
        with pytest.raises(InvalidArgumentError, match=f"{key}: there is (no gradient|a gradient)"):
            update(optimizer, wrong, state, tree)
    with pytest.raises(InvalidArgumentError, match=f"{key}: gradients and parameters are trees of different kinds"):
        update(optimizer, (W,), state, [tree["w"]])


REMEDY = "Give (it to another .* with optax.partition|biases)"
WRONG_LEAVES = {
    "integers": (jnp.ones((3, 4), jnp.int32), "holds int32", KEYS),
    "integer": (3, "holds int", KEYS),
    "booleans": (np.ones((3, 4), bool), "holds bool", KEYS),
    "complex": (np.ones((3, 4), np.complex64), "holds complex64", (*MATRICES, "method1")),
    "object": (np.ones((3, 4), object), "is no array: it is ndarray", KEYS),
    "text": ("weights", "is no array: it is str", KEYS),
    "function": (jax.nn.relu, "is no array", KEYS),
    "empty": (np.ones((0, 4), np.float32), "has no entries", (*MATRICES, "method1")),
    "extended": (np.ones((3, 4), np.longdouble), "holds", KEYS if np.finfo(np.longdouble).bits > 64 else ()),
    "shape": (jax.ShapeDtypeStruct((3, 4), jnp.float32), "eval_shape", KEYS),
    "vector": (np.ones(4, np.float32), rf"has shape \(4,\). {REMEDY}", MATRICES),
    "scalar": (np.float32(1), rf"has shape \(\). {REMEDY}", MATRICES),
}


@pytest.mark.parametrize("name", WRONG_LEAVES)
def test_a_leaf_that_cannot_move_is_refused_by_path(name):
    leaf, message, keys = WRONG_LEAVES[name]
    for key in keys:
        optimizer, tree = make(key), {"w": W, "other": [W, leaf]}
        for attempt in (
            lambda: optimizer.init(tree),  # noqa: B023
            lambda: update(optimizer, tree, None, tree),  # noqa: B023
        ):
            with pytest.raises(InvalidArgumentError, match=rf"params\['other'\]\[1\] .*{message}"):
                attempt()


@pytest.mark.parametrize("key", KEYS)
def test_random_keys_and_trees_without_leaves_are_refused(key):
    with pytest.raises(InvalidArgumentError, match=r"params\['k'\] holds key"):
        make(key).init({"k": jax.random.key(0)})
    with pytest.raises(InvalidArgumentError, match=f"{key}: there are no parameters: got None"):
        make(key).init(None)
    for nothing in ({}, [], {"a": {}}):
        with pytest.raises(InvalidArgumentError, match="the tree has no leaves"):
            make(key).init(nothing)


@pytest.mark.parametrize("key", KEYS)
def test_a_mask_that_hides_everything_leaves_nothing_to_do(key):
    tree = params()
    optimizer = optax.masked(make(key), {"w": False, "other": False})
    updates, _ = update(optimizer, tree, optimizer.init(tree), tree)
    assert jax.tree.all(jax.tree.map(np.array_equal, updates, tree))  # masked updates pass
    parted = optax.partition({"ours": make(key), "theirs": optax.sgd(0.1)}, {"w": "theirs", "other": "theirs"})
    update(parted, tree, parted.init(tree), tree)


VALUES = {jnp.float32: np.float32(1), jnp.bfloat16: 1.0, jnp.float16: jnp.bfloat16(1), jnp.float8_e4m3fn: np.float32(1)}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("dtype", VALUES, ids=lambda d: d.__name__)
def test_a_state_keeps_its_structure_shapes_and_types(key, dtype):
    scheduled = {"learning_rate": lambda count: 0.1 / (1 + count)}
    options = {"fromage": ({}, scheduled, {"p_bound": 1.0}), "lars": ({}, scheduled), "fgsgd": ({}, scheduled)}
    tree = {"w": params()["w"].astype(dtype)}
    for optimizer in (make(key, **given) for given in options.get(key, ({},))):
        state = jax.eval_shape(optimizer.init, tree)
        given = partial(optimizer.update, value=VALUES[dtype], value_fn=loss)  # a value that most ignore
        updates, after = jax.eval_shape(given, tree, state, tree)
        assert jax.tree.structure(after) == jax.tree.structure(state)
        for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
            assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type) == (a.shape, b.dtype, False)
        assert updates["w"].dtype == dtype


@pytest.mark.parametrize("key", KEYS)
def test_a_stored_state_goes_on_with_the_same_bits(key):
    (optimizer, step, traces), tree = program(key), params()
    grads = gradient(tree)
    _, state = step(grads, optimizer.init(tree), tree)
    expected, _ = step(grads, state, tree)
    leaves, structure = jax.tree.flatten(state)
    for restored in (
        pickle.loads(pickle.dumps(jax.device_get(state))),
        jax.tree.unflatten(structure, [np.asarray(leaf) for leaf in leaves]),
    ):
        found, _ = step(grads, restored, tree)
        assert jax.tree.all(jax.tree.map(np.array_equal, found, expected))
    assert len(traces) == 1  # and without a new compilation


@pytest.mark.parametrize("key", [*NORMED, "fromage"])
def test_radii_and_bounds_follow_loaded_weights(key):
    options = {"manifold": "sphere"} if key == "geodesic_lbfgs" else {}
    (optimizer, step, _), old = program(key, **options), params()
    state, order = optimizer.init(old), 2 if key in AVERAGING else None
    size = lambda tree: {name: float(np.linalg.norm(w, order)) for name, w in tree.items()}  # noqa: E731
    for factor in (20.0, 1 / 20, 1.0):
        new = {name: np.float32(factor) * w[::-1] for name, w in old.items()}
        updates, after = jax.device_get(step(gradient(new), state, new))
        moved = {name: w + updates[name] for name, w in new.items()}
        assert all((moved[name] != new[name]).any() for name in new)
        for name, before in size(new).items():
            if key in ("fromage", *AVERAGING):
                assert size(moved)[name] <= before * (1 + 2e-6)
                assert size(moved)[name] >= (0.98 if key == "fromage" else 0.6) * before
            else:
                assert size(moved)[name] == pytest.approx(before, rel=1e-5)
        kept = after.norm_bounds if key == "fromage" else after.place.radii if key in BALLS else after.radii
        assert sorted(map(float, kept)) == pytest.approx(sorted(size(new).values()), rel=1e-5)


@pytest.mark.parametrize(
    ("key", "options"), [*((key, {}) for key in NORMED), ("geodesic_lbfgs", {"manifold": "sphere"})]
)
def test_a_leaf_replaced_by_zeros_rests_and_one_that_was_nan_recovers(key, options):
    (optimizer, step, _), old = program(key, **options), params()
    init, grads = jax.jit(optimizer.init), gradient(old)  # traced, which lets through what is not finite
    new = {"w": np.zeros_like(old["w"]), "other": old["other"]}
    updates = jax.device_get(step(grads, init(old), new)[0])
    assert not updates["w"].any()
    assert np.isfinite(updates["other"]).all()
    assert updates["other"].any()
    poisoned = {name: np.where(np.arange(w.size).reshape(w.shape), w, np.float32(np.nan)) for name, w in old.items()}
    updates, state = jax.device_get(step(grads, init(poisoned), poisoned))
    assert not np.isfinite(updates["w"]).all()
    updates, _ = jax.device_get(step(grads, state, old))
    assert all(np.isfinite(u).all() and u.any() for u in updates.values())


def test_rounding_of_the_leaf_is_no_new_radius():
    optimizer, rng = make("method2"), np.random.default_rng(7)
    tree = {str(dtype): rng.normal(size=(3, 4)).astype(dtype) for dtype in (jnp.bfloat16, jnp.float16, jnp.float32)}

    @jax.jit
    def step(tree, state):
        updates, state = update(optimizer, jax.grad(loss)(tree), state, tree)
        return optax.apply_updates(tree, updates), state

    state = optimizer.init(tree)
    first = list(map(float, state.radii))
    for _ in range(3):
        tree, state = step(tree, state)
    assert list(map(float, state.radii)) == first
    assert {r.dtype for r in state.radii} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("key", LAYERWISE)
def test_complex_leaves_move_by_the_norm_of_their_entries_without_jit_too(key):
    z = np.asarray([[3 + 4j, 0], [0, 12j]], np.complex64)
    tree = {"z": z, "x": np.ones((2, 2), np.float32), "none": np.zeros((0, 2), np.float32), "one": np.float32(2)}
    grads = {name: np.full_like(leaf, 1e20) for name, leaf in tree.items()} | {"z": np.float32(1e20) * z.conj()}
    optimizer = make(key, learning_rate=0.1)
    updates, _ = optimizer.update(grads, optimizer.init(tree), tree)
    prefactor = 1 / np.sqrt(1.01) if key == "fromage" else 1
    expected = (z - 0.1 * z.conj()) * prefactor - z
    np.testing.assert_allclose(updates["z"], expected, rtol=1e-5, atol=1e-6)
    assert updates["x"].dtype == jnp.float32
    assert updates["x"].any()
    assert updates["none"].shape == (0, 2)
    assert float(updates["one"]) == pytest.approx(1.8 * prefactor - 2, rel=1e-5)


def test_python_numbers_and_numpy_arrays_are_leaves():
    for key in LAYERWISE:
        optimizer, tree = make(key, learning_rate=0.1), {"a": 2.0, "b": np.ones((2, 3)), "c": np.float32(1)}
        updates, _ = optimizer.update(jax.tree.map(np.ones_like, tree), optimizer.init(tree), tree)
        assert all(np.any(np.asarray(u) != 0) for u in jax.tree.leaves(updates))
