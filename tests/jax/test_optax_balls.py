"""Geodesic L-BFGS, online or not, and the polar average in optax: the ball in every precision, loaded leaves, means."""

import itertools
from unittest import TestCase

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ball_walks import (
    AVERAGED,
    DOUBLE,
    EVERY,
    HALF,
    MADE,
    MIXED,
    RADIUS,
    SHAPES,
    SINGLE,
    STEPS,
    drawn,
    loss,
    made,
    norm,
    order_of,
    path,
    stepping,
    walk,
    walked,
)
from jax_members import AVERAGING, BALLS

import normbench.jax
from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.transformations.balls import Region


def excess(make, steps):
    """By how much the largest norm of all iterates of a leaf, and of its averages, exceeds the radius."""
    found = {name: [] for name in steps[0][1]}
    for _, params, state, _ in steps:
        for tree in [params, AVERAGED(state, params)] if make in AVERAGING else [params]:
            for name, leaf in tree.items():
                assert leaf.dtype == steps[0][1][name].dtype
                found[name].append(norm(leaf, order_of(make)))
    assert all(max(norms) > 0.9 * RADIUS for norms in found.values())  # else nothing pressed outwards
    return {name: max(norms) - RADIUS for name, norms in found.items()}


@pytest.mark.parametrize("make", MADE)
def test_no_iterate_leaves_the_ball_in_its_own_precision(make):
    steps = path(make)
    assert {name: leaf.dtype for name, leaf in steps[-1][1].items()} == {n: jnp.dtype(d) for n, d in MIXED.items()}
    assert max(excess(make, steps).values()) <= 0


@pytest.mark.parametrize("make", MADE)
def test_in_double_precision_neither(make):
    with jax.enable_x64(True):
        assert max(excess(make, walked(make, DOUBLE)).values()) <= 0


def test_rounding_alone_would_carry_them_out(monkeypatch):
    monkeypatch.setattr(Region, "towards", lambda self, here, there, radius, dtype: (there - here, there))
    found = excess("sphere", walked("sphere", HALF, step=stepping(MADE["sphere"], loss)))
    assert min(found.values()) > 1e-4


@pytest.mark.parametrize("shape", [(784, 64), (64, 784), (300, 300), (1, 500)], ids=str)
def test_the_norm_in_single_precision_is_rounded_up_and_by_little(shape):
    rng, region = np.random.default_rng(3), Region.of("polar_average", "stiefel", None)
    size = jax.jit(region.size)
    for weight in (rng.normal(size=shape), np.linalg.qr(rng.normal(size=(max(shape),) * 2))[0][: shape[0], : shape[1]]):
        single = weight.astype(np.float32)
        assert 0 <= float(size(single)) / norm(single) - 1 < 3e-5


@pytest.mark.parametrize("make", ["geodesic_lbfgs", "sphere"])
def test_the_value_never_rises_in_any_precision(make):
    values, *_ = zip(*path(make)[:30], strict=True)
    rounding = 1e-6 * values[0]  # value_and_grad and value_fn are two programs
    assert all(after <= before + rounding for before, after in itertools.pairwise(values))
    assert values[-1] < values[0] - 100 * rounding


@pytest.mark.parametrize("key", BALLS)
def test_the_average_or_the_last_iterate_lowers_the_loss(key):
    (*_, (_, params, state, _)) = walk(key, drawn(), 60, radius=3.0)
    found = AVERAGED(state, params) if key in AVERAGING else params
    assert float(loss(found)) < 0.5 * float(loss(drawn()))


@pytest.mark.parametrize("make", MADE)
def test_a_radius_is_a_unit_of_length(make):
    with jax.enable_x64(True):
        half, twice = (drawn(DOUBLE, radius=radius, order="fro") for radius in (1.0, 2.0))
        units = walk(make, half, 12, radius=1.0, scale=2.0), walk(make, twice, 12, radius=2.0)
        for (value, left, *_), (same, right, *_) in zip(*units, strict=True):
            assert value == pytest.approx(same, rel=1e-6)  # the loss is of single precision
            for name, leaf in left.items():
                np.testing.assert_allclose(2 * np.asarray(leaf), right[name], rtol=0, atol=1e-5)


def finite(tree):
    return {name: bool(np.isfinite(np.asarray(leaf, np.float32)).all()) for name, leaf in tree.items()}


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows(wrong):
    params, struck = drawn(), EVERY.copy()
    struck[2, 1, 0, 1] = wrong
    state = made("polar_average", RADIUS).init(params)
    _, _, after, updates = STEPS["polar_average"](params, state, RADIUS, mid=struck)
    assert finite(updates) == {"in": True, "mid": False, "out": True}
    assert np.isfinite(after.step_size)
    for key in ("geodesic_lbfgs", "online_lbfgs"):
        state = made(key, RADIUS).init(params)
        for given in ({"mid": struck}, {"more": wrong}):
            _, _, after, updates = STEPS[key](params, state, RADIUS, **given)
            assert all(np.isnan(np.asarray(leaf, np.float32)).any() for leaf in updates.values())
            assert np.isnan(after.step_size)


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_outside_of_the_radius_is_refused_by_path(key):
    params = drawn(SINGLE)
    params["mid"] = 1.01 * np.asarray(params["mid"])
    with pytest.raises(
        InvalidArgumentError, match=r"radius=0.7, and params\['mid'\] of shape \(9, 6, 2, 2\) has 0.707"
    ):
        made(key, RADIUS).init(params)
    state = jax.eval_shape(made(key, RADIUS).init, params)  # traced, it cannot be seen
    assert len(state.place.radii) == 3


def test_a_sphere_has_the_frobenius_norm_for_its_radius():
    params = drawn(SINGLE, order="fro")
    with pytest.raises(InvalidArgumentError, match=r"keeps the Frobenius norm .* radius=0.6, .* has 0.7"):
        made("sphere", 0.6).init(params)
    assert list(map(float, made("sphere").init(params).place.radii)) == pytest.approx([RADIUS] * 3, rel=1e-5)
    for _, moved, *_ in path("sphere"):
        for leaf in moved.values():
            assert norm(leaf, "fro") == pytest.approx(RADIUS, rel=max(1e-5, float(jnp.finfo(leaf.dtype).eps)))


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_loaded_from_outside_is_put_inside_by_the_next_step(key):
    _, _, state, _ = path(key)[2]
    loaded = {name: (3 * np.asarray(leaf, np.float32)).astype(leaf.dtype) for name, leaf in drawn().items()}
    _, moved, *_ = STEPS[key](loaded, state, RADIUS, mid=0 * EVERY)  # a leaf without a gradient as well
    assert max(norm(leaf) for leaf in moved.values()) <= RADIUS


@pytest.mark.parametrize("key", BALLS)
def test_where_leaves_were_replaced_everything_starts_anew(key):
    other = drawn(seed=1)
    found, fresh = (STEPS[key](other, s, RADIUS) for s in (path(key)[4][2], made(key, RADIUS).init(other)))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(fresh), strict=True):
        a, b = (np.asarray(array, np.float64) for array in (a, b))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-3 * np.abs(b).max())


@pytest.mark.parametrize("key", BALLS)
def test_what_the_last_step_left_is_not_taken_for_replaced(key):
    counts = []
    for _, params, state, _ in path(key)[:12]:
        counts.append(int(state.count if key == "polar_average" else state.walk.metric.count))
        for kept, leaf in zip(state.place.kept, params.values(), strict=True):  # optax's compiler may round apart
            rounding = float(jnp.finfo(leaf.dtype).eps) * np.abs(kept).max()
            np.testing.assert_allclose(kept, np.asarray(leaf, np.float32).reshape(len(leaf), -1), rtol=0, atol=rounding)
    assert counts == list(range(1, 13))


@pytest.mark.parametrize("key", BALLS)
def test_a_leaf_without_a_gradient_rests_to_the_bit_while_the_others_move(key):
    params = drawn(radius=0.9 * RADIUS)
    for _, moved, _, updates in walk(key, params, 4, mid=0 * EVERY):
        updates = {name: np.asarray(leaf, np.float32) for name, leaf in updates.items()}
        assert not updates["mid"].any()
        assert np.array_equal(np.asarray(moved["mid"]), np.asarray(params["mid"]))
        assert all(updates[name].any() for name in ("in", "out"))


@pytest.mark.parametrize("key", ["sphere", *AVERAGING])
def test_a_kernel_moves_as_the_matrix_of_its_patches(key):
    rng = np.random.default_rng(8)
    x, flat = (rng.normal(size=size).astype(np.float32) for size in ((40, 12), (5, 12)))
    params = {"flat": flat, "kernel": flat.reshape(5, 2, 3, 2)}  # in one tree, where they ought to move alike

    def patches(tree):
        return sum(jnp.mean(jnp.square(jnp.tanh(x @ w.reshape(5, 12).T) - x[:, :5])) for w in tree.values())

    step, state, values = stepping(MADE[key], patches), made(key).init(params), []
    for _ in range(8):
        value, params, state, _ = step(params, state, None)
        values.append(float(value))
        assert params["kernel"].shape == (5, 2, 3, 2)
        kernel = np.asarray(params["kernel"]).reshape(5, 12)
        np.testing.assert_allclose(kernel, params["flat"], rtol=1e-5, atol=1e-6)
    assert values[-1] < values[0]


@pytest.mark.parametrize("key", AVERAGING)
def test_the_average_is_found_in_any_state_and_hidden_leaves_keep_their_values(key):
    params = drawn() | {"bias": np.ones(4, np.float32)}
    labels = {name: "ball" if name in SHAPES else "rest" for name in params}
    parts = {"ball": made(key, RADIUS), "rest": optax.sgd(0.1)}
    parted = optax.chain(optax.partition(parts, labels), optax.identity())

    def both(tree):
        return loss({name: tree[name] for name in SHAPES}) + jnp.sum(tree["bias"])

    @jax.jit
    def step(params, state):
        value_fn = normbench.jax.unmasked(both, params)
        updates, state = parted.update(jax.grad(both)(params), state, params, value_fn=value_fn)
        return optax.apply_updates(params, updates), state

    state, moved = parted.init(params), params
    for _ in range(4):
        moved, state = step(moved, state)
    _, alone, expected, _ = path(key)[3]
    found = AVERAGED(state, moved)
    assert np.array_equal(found["bias"], moved["bias"])
    for name, leaf in AVERAGED(expected, alone).items():
        mean, wanted, last = (np.asarray(array, np.float32) for array in (found[name], leaf, alone[name]))
        np.testing.assert_allclose(mean, wanted, rtol=1e-5, atol=1e-6)
        assert not np.allclose(mean, last, atol=1e-4)


@pytest.mark.parametrize("key", AVERAGING)
def test_the_average_is_that_of_the_iterates_with_their_weights(key):
    power = specs.get(key).resolve({})["power"]
    total = dict.fromkeys(SHAPES, 0.0)
    for k, (_, moved, state, _) in enumerate(path(key)[:6], start=1):
        rho = (power + 1) / (k + power)
        total = {name: total[name] * (1 - rho) + rho * np.asarray(moved[name], np.float64) for name in SHAPES}
        for name, leaf in AVERAGED(state, moved).items():
            eps = float(jnp.finfo(leaf.dtype).eps)
            np.testing.assert_allclose(
                np.asarray(leaf, np.float64), total[name], rtol=max(1e-4, eps), atol=max(1e-5, eps * RADIUS)
            )


@pytest.mark.parametrize("keys", [(), ("polar_average",) * 2, ("online_lbfgs",) * 2, AVERAGING], ids="-".join)
def test_averages_that_are_not_there_or_more_than_one_are_said(keys):
    state = [jax.eval_shape(made(key).init, drawn()) for key in keys]
    said = rf"of one polar_average\(\) or online_lbfgs\(\); got one with {len(keys)}\."
    with pytest.raises(InvalidArgumentError, match=said):
        normbench.jax.averaged([jax.eval_shape(optax.adam(0.1).init, drawn()), *state], drawn())


@pytest.mark.parametrize("key", AVERAGING)
def test_an_average_of_other_parameters_is_said(key):
    params = drawn()
    state = jax.eval_shape(made(key).init, params)
    rows, columns = SHAPES["in"]
    for wrong, said in (
        (np.ones((3, 7), np.float32), r"float32 of shape \(3, 7\)"),
        (np.ones((columns, rows), np.float32), rf"float32 of shape \({columns}, {rows}\)"),
        (np.ones(rows * columns, np.float32), rf"float32 of shape \({rows * columns},\)"),
        (np.ones((rows, columns), np.int32), "int32 of shape"),
    ):
        with pytest.raises(
            InvalidArgumentError, match=rf"has the shape \({rows}, {columns}\), the parameter is {said}"
        ):
            normbench.jax.averaged(state, params | {"in": wrong})
    for other in (None, {"in": params["in"]}, list(params.values())):
        with pytest.raises(InvalidArgumentError, match="params must be all parameters, in a tree as the average is"):
            normbench.jax.averaged(state, other)


@pytest.mark.parametrize("key", AVERAGING)
def test_averages_of_several_seeds_are_taken_by_vmap(key):
    seeds = {name: np.stack([drawn(SINGLE)[name], drawn(SINGLE, seed=1)[name]]) for name in SHAPES}
    state = jax.jit(jax.vmap(made(key).init))(seeds)
    with pytest.raises(InvalidArgumentError, match=r"use jax\.vmap\(averaged\)"):
        normbench.jax.averaged(state, seeds)
    for name, mean in jax.jit(jax.vmap(normbench.jax.averaged))(state, seeds).items():
        np.testing.assert_allclose(mean, seeds[name], rtol=1e-5, atol=1e-6)


def test_a_second_step_outside_of_jit_compiles_nothing():
    optimizer, params = made("polar_average", RADIUS), {"w": jnp.full((2, 3), 0.1)}
    state = optimizer.init(params)
    optimizer.update(params, state, params)
    with jax.log_compiles(), TestCase().assertLogs("jax") as said:
        optimizer.update(params, state, params)
        assert not any("XLA compilation" in line for line in said.output)
        jax.jit(lambda x: x + 1.5)(1.5)
    assert any("XLA compilation" in line for line in said.output)  # this is how it would show
