"""Geodesic L-BFGS and the polar average in optax: the ball in every precision, kernels, loaded leaves, averages."""

import functools
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import BALLS

import normbench.jax
from normbench.errors import InvalidArgumentError
from normbench.jax.transformations.balls import Region

RADIUS = 0.7
SHAPES = {"in": (24, 7), "mid": (9, 24), "out": (3, 9)}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}
MADE = {
    "geodesic_lbfgs": normbench.jax.geodesic_lbfgs,
    "polar_average": normbench.jax.polar_average,
    "sphere": partial(normbench.jax.geodesic_lbfgs, manifold="sphere"),
}


def drawn(dtype, *, seed=0, radius=RADIUS, shapes=SHAPES, order=2):
    """Weights on the boundary, and a little outside by the rounding of their dtype."""
    rng = np.random.default_rng([seed, 71])
    raw = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return {n: jnp.asarray(radius * w / np.linalg.norm(w.reshape(len(w), -1), order), dtype) for n, w in raw.items()}


def samples(seed=0):
    rng = np.random.default_rng([seed, 72])
    x = rng.normal(size=(64, 7))
    return jnp.asarray(x, jnp.float32), jnp.asarray(
        np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2], x[:, 3]], 1), jnp.float32
    )


def loss(params):
    """Of a network that has to be larger than the ball allows, so that every step presses outwards."""
    x, y = samples()
    first, second, last = (params[name].astype(jnp.float32) for name in ("in", "mid", "out"))
    hidden = jax.nn.relu(jax.nn.relu(x @ first.T) @ second.T)
    return jnp.mean(jnp.square(hidden @ last.T - 5 * y))


def stepping(make, loss):
    """A step of an optimiser, made anew of the radius: value before, then parameters, state and updates behind it.

    The loss is of ``scale`` times the parameters; that named mid has its gradient times ``mid``.
    """

    @jax.jit
    def step(params, state, radius, scale=1.0, mid=1.0):
        def scaled(tree):
            return loss(jax.tree.map(lambda leaf: leaf * jnp.asarray(scale, leaf.dtype), tree))

        value, grads = jax.value_and_grad(scaled)(params)
        if "mid" in grads:
            grads["mid"] *= jnp.asarray(mid, grads["mid"].dtype)
        updates, state = make(radius=radius).update(grads, state, params, value=value, value_fn=scaled)
        return value, optax.apply_updates(params, updates), state, updates

    return step


STEPS = {name: stepping(make, loss) for name, make in MADE.items()}  # one program for all radii and scales


def walk(make, params, steps, *, radius=None, step=None, **given):
    """Yield the value at the parameters before, and parameters, state and updates behind every step."""
    state = MADE[make](radius=radius).init(params)
    for _ in range(steps):
        value, params, state, updates = (step or STEPS[make])(params, state, radius, **given)
        yield float(value), params, state, updates


def norm(weight, order=2):
    """In float64."""
    return float(np.linalg.norm(np.asarray(weight, np.float64).reshape(len(weight), -1), order))


def walked(make, dtype, **given):
    return list(walk(make, drawn(dtype, order=order_of(make)), 40, radius=RADIUS, **given))


path = functools.cache(walked)  # one program and one walk for all tests that look at it


def order_of(make):
    return "fro" if make == "sphere" else 2


AVERAGED = jax.jit(normbench.jax.averaged)


def excess(make, steps):
    """By how much the largest norm of all iterates, and of the averages, exceeds the radius."""
    order, dtype = order_of(make), steps[0][1]["in"].dtype
    found = []
    for _, params, state, _ in steps:
        trees = [params] if make != "polar_average" else [params, AVERAGED(state, params)]
        assert all(leaf.dtype == dtype for tree in trees for leaf in tree.values())
        found += [norm(leaf, order) for tree in trees for leaf in tree.values()]
    assert max(found) > 0.9 * RADIUS  # else nothing pressed outwards
    return max(found) - RADIUS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", MADE)
def test_no_iterate_leaves_the_ball_in_its_own_precision(make, dtype):
    assert excess(make, path(make, DTYPES[dtype])) <= 0


def test_in_double_precision_neither():
    with jax.enable_x64(True):
        assert all(excess(make, walked(make, jnp.float64)) <= 0 for make in MADE)


def test_rounding_alone_would_carry_them_out(monkeypatch):
    monkeypatch.setattr(Region, "towards", lambda self, here, there, radius, dtype: (there - here, there))
    for make in ("geodesic_lbfgs", "sphere"):
        assert excess(make, walked(make, jnp.bfloat16, step=stepping(MADE[make], loss))) > 1e-4


@pytest.mark.parametrize("shape", [(784, 64), (64, 784), (300, 300), (1, 500)], ids=str)
def test_the_norm_in_single_precision_is_rounded_up_and_by_little(shape):
    rng, region = np.random.default_rng(3), Region.of("polar_average", "stiefel", None)
    size = jax.jit(region.size)
    for weight in (rng.normal(size=shape), np.linalg.qr(rng.normal(size=(max(shape),) * 2))[0][: shape[0], : shape[1]]):
        single = weight.astype(np.float32)
        assert 0 <= float(size(single)) / norm(single) - 1 < 3e-5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", ["geodesic_lbfgs", "sphere"])
def test_the_value_never_rises_in_any_precision(make, dtype):
    values, *_ = zip(*path(make, DTYPES[dtype])[:30], strict=True)
    rounding = 1e-6 * values[0]  # value_and_grad and value_fn are two programs
    assert all(after <= before + rounding for before, after in itertools.pairwise(values))
    assert values[-1] < values[0] - 100 * rounding


@pytest.mark.parametrize("key", BALLS)
def test_the_average_or_the_last_iterate_lowers_the_loss(key):
    (*_, (_, params, state, _)) = walk(key, drawn(jnp.float32), 60, radius=3.0)
    found = normbench.jax.averaged(state, params) if key == "polar_average" else params
    assert float(loss(found)) < 0.5 * float(loss(drawn(jnp.float32)))


@pytest.mark.parametrize("make", MADE)
def test_a_radius_is_a_unit_of_length(make):
    with jax.enable_x64(True):
        half = drawn(jnp.float64, radius=1.0, order="fro")
        twice = {name: 2 * leaf for name, leaf in half.items()}
        units = walk(make, half, 12, radius=1.0, scale=2.0), walk(make, twice, 12, radius=2.0)
        for (value, left, *_), (same, right, *_) in zip(*units, strict=True):
            assert value == pytest.approx(same, rel=1e-6)  # the loss is of single precision
            for name in SHAPES:
                np.testing.assert_allclose(2 * left[name], right[name], rtol=0, atol=1e-5)


@functools.cache
def updating(key):
    return jax.jit(partial(MADE[key]().update, value_fn=loss))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows(wrong):
    params = drawn(jnp.float32)
    grads = jax.grad(loss)(params)
    struck = grads | {"mid": grads["mid"].at[2, 1].set(wrong)}
    state = MADE["polar_average"]().init(params)
    updates, after = updating("polar_average")(struck, state, params, value=1.0)
    assert {name: bool(np.isfinite(leaf).all()) for name, leaf in updates.items()} == {
        "in": True,
        "mid": False,
        "out": True,
    }
    assert np.isfinite(after.step_size)
    state = MADE["geodesic_lbfgs"]().init(params)
    for gradient, value in ((struck, 1.0), (grads, wrong)):
        updates, after = updating("geodesic_lbfgs")(gradient, state, params, value=value)
        assert all(np.isnan(leaf).any() for leaf in updates.values())
        assert np.isnan(after.step_size)


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_outside_of_the_radius_is_refused_by_path(key):
    params = drawn(jnp.float32)
    params["mid"] = 1.01 * params["mid"]
    with pytest.raises(InvalidArgumentError, match=r"radius=0.7, and params\['mid'\] of shape \(9, 24\) has 0.707"):
        MADE[key](radius=RADIUS).init(params)
    state = jax.eval_shape(MADE[key](radius=RADIUS).init, params)  # traced, it cannot be seen
    assert len(state.place.radii) == 3


def test_a_sphere_has_the_frobenius_norm_for_its_radius():
    params = drawn(jnp.float32, order="fro")
    with pytest.raises(InvalidArgumentError, match=r"keeps the Frobenius norm .* radius=0.6, .* has 0.7"):
        MADE["sphere"](radius=0.6).init(params)
    for _, moved, *_ in walk("sphere", params, 5):
        assert [norm(leaf, "fro") for leaf in moved.values()] == pytest.approx([RADIUS] * 3, rel=1e-5)


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_loaded_from_outside_is_put_inside_by_the_next_step(key):
    params = drawn(jnp.float32)
    *_, (_, _, state, _) = walk(key, params, 3, radius=RADIUS)
    loaded = {name: 3 * leaf for name, leaf in params.items()}
    _, moved, *_ = STEPS[key](loaded, state, RADIUS, mid=0.0)  # a leaf without a gradient as well
    assert max(norm(leaf) for leaf in moved.values()) <= RADIUS


@pytest.mark.parametrize("key", BALLS)
def test_where_leaves_were_replaced_everything_starts_anew(key):
    params, other = drawn(jnp.float32), drawn(jnp.float32, seed=1)
    (*_, (_, _, state, _)) = walk(key, params, 5)
    found, fresh = (STEPS[key](other, state, None) for state in (state, MADE[key]().init(other)))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(fresh), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-3 * float(jnp.abs(b).max()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", BALLS)
def test_what_the_last_step_left_is_not_taken_for_replaced(key, dtype):
    counts = []
    for _, params, state, _ in path(key, DTYPES[dtype])[:12]:
        counts.append(int(state.count if key == "polar_average" else state.walk.metric.count))
        for kept, leaf in zip(state.place.kept, params.values(), strict=True):
            assert np.array_equal(kept, np.asarray(leaf, np.float32))
    assert counts == list(range(1, 13))


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_without_a_gradient_rests_to_the_bit_while_the_others_move(key):
    params = drawn(jnp.bfloat16, radius=0.9 * RADIUS)
    for _, moved, _, updates in walk(key, params, 4, radius=RADIUS, mid=0.0):
        assert not updates["mid"].any()
        assert np.array_equal(moved["mid"], params["mid"])
        assert all(updates[name].any() for name in ("in", "out"))


@pytest.mark.parametrize("key", BALLS)
def test_a_kernel_moves_as_the_matrix_of_its_patches(key):
    shapes = {"kernel": (5, 2, 3, 2), "last": (3, 5)}
    x = jnp.asarray(np.random.default_rng(8).normal(size=(40, 12)), jnp.float32)

    def patches(tree):
        return jnp.mean(jnp.square(jnp.tanh(x @ tree["kernel"].reshape(5, 12).T) @ tree["last"].T - x[:, :3]))

    kernels = drawn(jnp.float32, shapes=shapes)
    flat = {name: leaf.reshape(len(leaf), -1) for name, leaf in kernels.items()}
    runs = [list(walk(key, params, 8, step=stepping(MADE[key], patches))) for params in (kernels, flat)]
    for (_, left, *_), (_, right, *_) in zip(*runs, strict=True):
        assert left["kernel"].shape == (5, 2, 3, 2)
        np.testing.assert_allclose(left["kernel"].reshape(5, 12), right["kernel"], rtol=1e-5, atol=1e-6)
    assert runs[0][-1][0] < runs[0][0][0]


def test_the_average_is_found_in_any_state_and_hidden_leaves_keep_their_values():
    params = drawn(jnp.float32) | {"bias": jnp.ones(4)}
    own = normbench.jax.polar_average()
    labels = {name: "ball" if name in SHAPES else "rest" for name in params}
    parted = optax.chain(optax.partition({"ball": own, "rest": optax.sgd(0.1)}, labels), optax.identity())
    state, moved = parted.init(params), params
    for _ in range(4):
        grads = jax.grad(lambda tree: loss(tree) + jnp.sum(tree["bias"]))(moved)
        updates, state = jax.jit(parted.update)(grads, state, moved)
        moved = optax.apply_updates(moved, updates)
    (*_, (_, alone, expected, _)) = walk("polar_average", {name: params[name] for name in SHAPES}, 4)
    found = normbench.jax.averaged(state, moved)
    assert np.array_equal(found["bias"], moved["bias"])
    for name, leaf in normbench.jax.averaged(expected, alone).items():
        np.testing.assert_allclose(found[name], leaf, rtol=1e-5, atol=1e-6)
        assert not np.allclose(found[name], alone[name], atol=1e-4)


def test_the_average_is_that_of_the_iterates_with_their_weights():
    params, step = drawn(jnp.float32), stepping(partial(normbench.jax.polar_average, power=2), loss)
    total = dict.fromkeys(SHAPES, 0.0)
    for k, (_, moved, state, _) in enumerate(walk("polar_average", params, 6, step=step), start=1):
        rho = 3 / (k + 2)
        total = {name: total[name] * (1 - rho) + rho * np.asarray(moved[name], np.float64) for name in SHAPES}
        for name, leaf in normbench.jax.averaged(state, moved).items():
            np.testing.assert_allclose(leaf, total[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("states", "count"), [((), 0), ((0, 0), 2)], ids=["none", "two"])
def test_averages_that_are_not_there_or_more_than_one_are_said(states, count):
    params = drawn(jnp.float32)
    state = [optax.adam(0.1).init(params), *(normbench.jax.polar_average().init(params) for _ in states)]
    with pytest.raises(InvalidArgumentError, match=f"of one polar_average.*; got one with {count}"):
        normbench.jax.averaged(state, params)


def test_an_average_of_other_parameters_is_said():
    params = drawn(jnp.float32)
    state = normbench.jax.polar_average().init(params)
    with pytest.raises(InvalidArgumentError, match=r"has 168 entries, the parameter has the shape \(3, 7\)"):
        normbench.jax.averaged(state, params | {"in": jnp.ones((3, 7))})
