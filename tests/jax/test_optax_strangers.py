"""What optax transformations are handed beside gradients: states of others, functions that meet a mask."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import BALLS, KEYS, VALUED

import normbench.jax
from normbench.errors import InvalidArgumentError

W = np.ones((3, 4), np.float32)
TREE = {"w": W, "other": 2 * W}


def make(key, **options):
    return getattr(normbench.jax, key)(**options)


def loss(params):
    return sum(jnp.sum(jnp.sin(p)) for p in jax.tree.leaves(params))


def update(optimizer, grads, state, tree):
    return optimizer.update(grads, state, tree, value=1.0, value_fn=loss)


@pytest.mark.parametrize("key", KEYS)
def test_a_state_of_other_parameters_is_refused(key):
    options = {"p_bound": 1.0} if key == "fromage" else {}
    if key in ("lars", "agd"):
        pytest.skip("its state does not depend on the parameters")
    optimizer, tree = make(key, **options), TREE
    state = jax.eval_shape(optimizer.init, {"w": W})
    with pytest.raises(
        InvalidArgumentError, match=rf"{key}: the state is not that .* has no state\..*\[1\]\. Call init"
    ):
        jax.eval_shape(partial(update, optimizer), tree, state, tree)
    more = jax.eval_shape(optimizer.init, tree | {"more": W})
    with pytest.raises(InvalidArgumentError, match=rf"{key}: the state is not that .* has a state\..*\[2\], which"):
        jax.eval_shape(partial(update, optimizer), tree, more, tree)


@pytest.mark.parametrize("key", KEYS)
def test_a_state_that_is_none_of_the_method_is_refused(key):
    optimizer, tree = make(key), TREE
    state = jax.eval_shape(optimizer.init, tree)
    seeds = jax.eval_shape(jax.vmap(optimizer.init), {name: np.stack([w, w]) for name, w in tree.items()})
    wrong = {
        "NoneType": None,
        "tuple": (state, optax.EmptyState()),
        "ScaleByAdamState": jax.eval_shape(optax.scale_by_adam().init, tree),
        "dict": state._asdict(),
        r"state\..* has shape \(2,\), not \(\)": seeds,
        r"state\.step_size is no array: it is str": state._replace(step_size="0.1"),
    }
    for said, given in wrong.items():
        with pytest.raises(InvalidArgumentError, match=rf"{key}: the state is not that of .* (it is )?{said}"):
            update(optimizer, tree, given, tree)


ALIKE = {"method1", "method2", "method2_exp"}  # whose states hold the radii of the weights, and no hyperparameter


@pytest.mark.parametrize("into", KEYS)
def test_a_state_of_another_method_is_refused_or_holds_the_same(into):
    """A rate is the transformation's, never the state's."""
    optimizer = make(into)
    own = jax.eval_shape(optimizer.init, TREE)
    for of in set(KEYS) - {into}:
        state = jax.eval_shape(make(of).init, TREE)
        if {of, into} <= ALIKE:
            assert jax.tree.structure(state) == jax.tree.structure(own)
            continue
        with pytest.raises(InvalidArgumentError, match=f"{into}: the state is not that of"):
            jax.eval_shape(partial(update, optimizer), TREE, state, TREE)


@pytest.mark.parametrize("key", BALLS)
@pytest.mark.parametrize("other", [(4, 3), (1, 4)], ids=["transposed", "would broadcast"])
def test_a_state_of_other_shapes_is_refused_by_path(key, other):
    optimizer = make(key)
    state = jax.eval_shape(optimizer.init, {"w": np.ones(other, np.float32)})
    said = rf"state\.place\.kept\[0\] has shape \({other[0]}, {other[1]}\), not \(3, 4\)"
    with pytest.raises(InvalidArgumentError, match=said):
        update(optimizer, {"w": W}, state, {"w": W})


def test_a_state_of_other_options_is_refused():
    scheduled = lambda **options: make("fromage", learning_rate=lambda count: 0.1, **options)  # noqa: E731
    pairs = [
        (make("fromage"), scheduled(), r"no state\.count"),
        (scheduled(), make("fromage"), r"a state\.count, which"),
        (scheduled(), scheduled(p_bound=1.0), r"no state\.norm_bounds\[0\]"),
        (make("geodesic_lbfgs", history=3), make("geodesic_lbfgs", history=4), r"state\.walk.* has shape \(3"),
    ]
    for first, then, said in pairs:
        with pytest.raises(InvalidArgumentError, match=f"parameters and options: .*{said}"):
            update(then, TREE, jax.eval_shape(first.init, TREE), TREE)


class Box:
    """A node of a user's with data of its own that has no hash."""

    def __init__(self, leaf, about):
        self.leaf, self.about = leaf, about


jax.tree_util.register_pytree_node(Box, lambda box: ((box.leaf,), box.about), lambda about, leaf: Box(*leaf, about))


@pytest.mark.parametrize("key", KEYS)
def test_what_a_state_should_be_is_traced_once_for_parameters_of_the_same_shapes(key, monkeypatch):
    optimizer, traced = make(key), jax.eval_shape
    states = {name: traced(optimizer.init, tree) for name, tree in {"both": TREE, "one": {"w": W}}.items()}
    functions = []
    monkeypatch.setattr(jax, "eval_shape", lambda function, *of: functions.append(function) or traced(function, *of))
    for factor in (1, 2, 3):
        tree = {name: factor * w for name, w in TREE.items()}
        traced(partial(update, optimizer), tree, states["both"], tree)
    assert len(functions) == 1
    traced(partial(update, optimizer), {"w": W}, states["one"], {"w": W})
    assert len(functions) == 2
    if key not in ("fromage", "lars", "agd"):  # whose states do not depend on the parameters
        for name, tree in {"one": TREE, "both": {"w": W}}.items():
            with pytest.raises(InvalidArgumentError, match="the state is not that of these parameters"):
                traced(partial(update, optimizer), tree, states[name], tree)
    assert len(functions) == 2
    if key in BALLS:  # whose states have the shapes of the parameters
        turned = {name: w.T for name, w in TREE.items()}
        with pytest.raises(InvalidArgumentError, match=r"has shape \(3, 4\), not \(4, 3\)"):
            traced(partial(update, optimizer), turned, states["both"], turned)


def test_parameters_in_nodes_with_data_without_a_hash_are_told_apart():
    optimizer = make("fromage", p_bound=2.0)
    tree, more = Box(W, about=[1]), (Box(W, about=[1]), Box(W, about=[1, 2]))
    state = jax.eval_shape(optimizer.init, tree)
    for _ in range(2):
        jax.eval_shape(partial(optimizer.update), tree, state, tree)
    with pytest.raises(InvalidArgumentError, match=r"has no state\.norm_bounds\[1\]"):
        jax.eval_shape(partial(optimizer.update), more, state, more)


@pytest.mark.parametrize("key", VALUED)
def test_a_value_fn_that_meets_a_mask_says_unmasked(key):
    params = {"a": np.ones((2, 3)), "b": np.ones((3, 2))}
    optimizer = optax.masked(getattr(normbench.jax, key)(), {"a": True, "b": False})
    state = jax.eval_shape(optimizer.init, params)
    for value_fn in (
        lambda p: jnp.sum(p["a"] @ p["b"]),
        lambda p: jnp.sum(p["a"]) * p["b"][0, 0],
        lambda p: p["b"][0][0] * jnp.sum(p["a"]),
        lambda p: jnp.sum(p["a"]) + p["b"].sum(),
    ):
        step = partial(optimizer.update, value=1.0, value_fn=value_fn)
        with pytest.raises(
            InvalidArgumentError, match=r"Hand over value_fn=normbench\.jax\.unmasked\(value_fn, params"
        ):
            jax.eval_shape(step, params, state, params)
    with pytest.raises(TypeError, match="of its own"):
        jax.eval_shape(partial(optimizer.update, value=1.0, value_fn=fails), params, state, params)


def fails(params):
    raise TypeError("of its own")


def test_functions_and_parameters_that_are_none_are_said():
    for make in (normbench.jax.unmasked, normbench.jax.accumulated):
        with pytest.raises(
            InvalidArgumentError, match=r"(value_fn|loss) must be a function of the parameters; got None"
        ):
            make(None, jnp.ones((2, 2)))
    shown = {"a": np.ones(2), "b": optax.MaskedNode()}
    for params in (None, {"a": np.ones(2)}, [np.ones(2), np.ones(2)]):
        with pytest.raises(InvalidArgumentError, match="params must be all parameters"):
            normbench.jax.unmasked(jnp.sum, params)(shown)
