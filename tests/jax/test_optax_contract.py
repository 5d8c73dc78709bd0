"""optax's contract: signatures, schedules, injected hyperparameters and arguments of update, beside optax's own."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import KEYS, VALUED, WITH_VALUE

import normbench.jax
from normbench import specs
from normbench.errors import InvalidArgumentError

RATED = [key for key in KEYS if specs.LEARNING_RATE in specs.get(key).resolve({})]
NUMERIC = {
    "fromage": {"learning_rate": 0.03, "p_bound": 1.0},
    "lars": {"learning_rate": 0.03},
    "agd": {},
    "fgsgd": {"learning_rate": 3.0, "decay": 0.7},
    "method1": {"trust_region": 0.01, "max_halvings": 3, "radius": 2.0},
    "method2": {"mean_square_input": 3.0, "curvature": 0.5, "gain": 2.0},
    "method2_exp": {"mean_square_input": 3.0, "curvature": 0.5, "gain": 2.0},
    "geodesic_lbfgs": {"decay": 0.5, "damping": 0.5, "max_trials": 3, "radius": 5.0},
    "online_lbfgs": {"momentum": 0.3, "decay": 0.5, "damping": 0.5, "power": 2, "radius": 5.0},
    "polar_average": {"momentum": 0.5, "offset": 3, "power": 2, "radius": 5.0},
}
NUMERIC |= {  # what nobody has written down is given its floats
    key: {h.name: h.example for h in specs.get(key).hyperparameters if isinstance(h.default, float)}
    for key in KEYS
    if key not in NUMERIC
}
INTEGERS = ("max_halvings", "max_trials", "offset", "power")
STATIC = {
    "method1": ("order", "euclidean"),
    "fgsgd": ("groups", "partition_seed", "positions"),
    "geodesic_lbfgs": ("history",),
    "online_lbfgs": ("history",),
}


def make(key, *args, **options):
    return getattr(normbench.jax, key)(*args, **options)


def tree():
    rng = np.random.default_rng(9)
    return {"a": rng.normal(size=(4, 3)).astype(np.float32), "b": rng.normal(size=(3, 4)).astype(np.float32)}


def loss(params, shift=0.0):
    return jnp.sum(jnp.sin(params["a"] @ params["b"] + shift))


def side_by_side(*optimizers, steps=3):
    """Yield, at every point of the first one's compiled way, the updates and the states of all; of one leaf."""
    params = {"a": tree()["a"].astype(np.float64)}
    bent = lambda params: jnp.sum(jnp.sin(params["a"] @ params["a"].T))  # noqa: E731

    @jax.jit
    def step(params, states):
        value, grads = jax.value_and_grad(bent)(params)
        found = [
            optimizer.update(grads, state, params, value=value, value_fn=bent)
            for optimizer, state in zip(optimizers, states, strict=True)
        ]
        updates, states = zip(*found, strict=True)
        return optax.apply_updates(params, updates[0]), updates, states

    states = jax.jit(lambda params: tuple(optimizer.init(params) for optimizer in optimizers))(params)
    for _ in range(steps):
        params, updates, states = step(params, states)
        yield updates, states


def assert_same(left, right, rtol=1e-12):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def trace(optimizer, **extra):
    """The shapes of an update, without running it."""
    params = tree()
    state = jax.eval_shape(optimizer.init, params)
    return jax.eval_shape(lambda p, s: optimizer.update(p, s, p, **extra), params, state)


@pytest.mark.parametrize("key", RATED)
def test_the_learning_rate_comes_first_as_in_optax(key):
    for reference in (optax.sgd, optax.adam, optax.lbfgs):
        first = next(iter(inspect.signature(reference).parameters.values()))
        ours = next(iter(inspect.signature(getattr(normbench.jax, key)).parameters.values()))
        assert (ours.name, ours.kind) == (first.name, first.kind)


@pytest.mark.parametrize("key", KEYS)
def test_defaults_are_those_of_the_specs(key):
    declared = specs.get(key).resolve({})
    parameters = inspect.signature(getattr(normbench.jax, key)).parameters
    assert {name: parameters[name].default for name in declared} == declared


@pytest.mark.parametrize("key", KEYS)
def test_every_transformation_is_one_that_takes_extra_arguments(key):
    optimizer = make(key)
    assert isinstance(optimizer, optax.GradientTransformationExtraArgs)
    trace(optimizer, value=jnp.float32(1), value_fn=loss, grad=tree(), of_another_member=1)


@pytest.mark.parametrize("key", RATED)
def test_a_schedule_gives_the_rate_of_every_step(key):
    rates = [0.3, 0.05]
    schedule = lambda count: jnp.asarray(rates)[count]  # noqa: E731
    injected = optax.inject_hyperparams(getattr(normbench.jax, key), static_args=STATIC.get(key, ()))(schedule)
    with jax.enable_x64(True):
        ways = side_by_side(make(key, schedule), injected, *(make(key, rate) for rate in rates), steps=2)
        for k, (updates, states) in enumerate(ways):
            assert_same(updates[0], updates[1])
            assert_same(updates[0], updates[2 + k])  # fgsgd's count of steps is the same too
            assert int(states[0].count) == k + 1
        assert float(states[0].step_size) == pytest.approx(0.05 / (2**0.6 if key == "fgsgd" else 1), rel=1e-5)


@pytest.mark.parametrize("key", KEYS)
def test_every_numeric_hyperparameter_can_be_injected(key):
    hyper = NUMERIC[key]
    given = hyper | ({"manifold": "sphere"} if key == "geodesic_lbfgs" else {})  # which compiles sooner than the ball
    injected = optax.inject_hyperparams(getattr(normbench.jax, key), static_args=STATIC.get(key, ()))(**given)
    with jax.enable_x64(True):
        for updates, states in side_by_side(injected, make(key, **given)):
            assert set(states[0].hyperparams) >= set(hyper)
            assert_same(*updates)


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, names in STATIC.items() for name in names[:3]])
def test_one_that_chooses_the_program_says_static_args(key, name):
    others = tuple(n for n in STATIC[key] if n != name)
    given = {"euclidean": lambda params: True} if name == "euclidean" else {}
    injected = optax.inject_hyperparams(getattr(normbench.jax, key), static_args=others)(**given)
    with pytest.raises(InvalidArgumentError, match=rf'{name}.*static_args=\(.*"{name}"'):
        injected.init(tree())


@pytest.mark.parametrize("make_number", [np.float32, np.float64, np.array, jnp.float32, np.float16])
@pytest.mark.parametrize("key", [key for key in KEYS if NUMERIC[key]])
def test_numbers_of_numpy_and_jax_are_numbers(key, make_number):
    for name, value in NUMERIC[key].items():
        if name in INTEGERS:
            value = {np.array: np.array(3), jnp.float32: jnp.int32(3)}.get(make_number, np.int64(3))
            make(key, **{name: value})
        else:
            make(key, **{name: make_number(value)})


def test_integers_of_numpy_are_integers():
    for positions in (np.int64(4), [np.int32(4), 1], np.array([4, 1]), np.array(4)):
        normbench.jax.fgsgd(positions=positions, groups=np.int64(2), partition_seed=np.array(3))
    for wrong in (2.5, np.float32(2.5), [1, 2.0], True, "4", None, [[1]], np.array([1.0])):
        with pytest.raises(InvalidArgumentError, match="positions must be integers of at least 1; got"):
            normbench.jax.fgsgd(positions=wrong)
    normbench.jax.method1(order=np.int64(3))


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("fromage", "learning_rate", jnp.ones(2)),
        ("fromage", "learning_rate", jnp.asarray(1j)),
        ("fromage", "learning_rate", "0.1"),
        ("lars", "learning_rate", np.ones(2)),
        ("lars", "learning_rate", None),
        ("fgsgd", "learning_rate", jnp.asarray(True)),
        ("method2", "gain", [1.0]),
        ("method2", "gain", 1j),
        ("method2", "curvature", jnp.ones(3)),
        ("method1", "radius", "1"),
        ("method1", "max_halvings", jnp.ones(2)),
        ("method1", "differentiation", ["forward"]),
        ("geodesic_lbfgs", "differentiation", "backward"),
        ("geodesic_lbfgs", "manifold", ["ball"]),
    ],
)
def test_what_is_no_number_or_choice_is_refused_by_name(key, name, value):
    with pytest.raises(InvalidArgumentError, match=f"{name} must"):
        make(key, **{name: value})


@pytest.mark.parametrize("optimizer", [optax.lbfgs(), *map(make, VALUED)], ids=["optax.lbfgs", *VALUED])
def test_value_fn_is_handed_the_extra_arguments_that_it_names(optimizer):
    seen = []

    def batch_loss(params, batch, scale=1.0, unasked=4.0):
        seen.append((batch, scale, unasked))
        return scale * loss(params, batch)

    given = {"value": jnp.float32(1), "grad": tree(), "scale": 2.0, "batch": 0.3}
    trace(optimizer, **given, value_fn=batch_loss)
    trace(optimizer, **given, value_fn=partial(batch_loss, batch=7.0))  # what is bound gives way
    assert set(seen) == {(0.3, 2.0, 4.0)}


def test_method1_needs_what_value_fn_needs_and_ignores_what_others_of_a_chain_need():
    def batch_loss(params, batch):
        return loss(params, batch)

    trace(normbench.jax.method1(), value=1.0, value_fn=batch_loss, batch=0.3, of_another_member=1)
    masked = optax.masked(normbench.jax.method1(), {"a": True, "b": False})
    trace(masked, value=1.0, value_fn=normbench.jax.unmasked(batch_loss, tree()), batch=0.3)
    with pytest.raises(TypeError, match="batch"):
        trace(normbench.jax.method1(), value=1.0, value_fn=batch_loss)


@pytest.mark.parametrize(
    ("value_fn", "message"),
    [
        (None, "value_fn must be a function of the parameters; got None"),
        (3, "value_fn must be a function of the parameters; got 3"),
        (lambda p: (loss(p), {"aux": 1}), r"value_fn.* got a tuple of 2.*has_aux"),
        (lambda p: p["a"], r"value_fn.* got an array of shape \(4, 3\)"),
        (lambda p: loss(p)[None], r"value_fn.* got an array of shape \(1,\)"),
        (lambda p: loss(p) * 1j, "value_fn.* got an array of complex64"),
        (lambda p: None, "value_fn.* got None"),
    ],
)
@pytest.mark.parametrize("key", VALUED)
def test_a_value_fn_that_gives_no_real_number_is_said(key, value_fn, message):
    with pytest.raises(InvalidArgumentError, match=message):
        trace(make(key), value=jnp.float32(1), value_fn=value_fn)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (jnp.ones(2), r"value .*shape \(2,\)"),
        ((jnp.float32(1), 2), "value .*a tuple of 2"),
        (1j, "value"),
        ("1", "value"),
    ],
)
@pytest.mark.parametrize("key", VALUED)
def test_a_value_that_is_no_real_number_is_said(key, value, message):
    with pytest.raises(InvalidArgumentError, match=message):
        trace(make(key), value=value, value_fn=loss)


@pytest.mark.parametrize("key", WITH_VALUE)
def test_a_value_that_is_missing_is_said(key):
    with pytest.raises(InvalidArgumentError, match="value must be one real number; got None"):
        trace(make(key), value_fn=loss)


@pytest.mark.parametrize("key", KEYS)
def test_an_update_without_parameters_says_so(key):
    with pytest.raises(InvalidArgumentError, match=rf"{key} needs the parameters: update\(grads, state, params\)"):
        make(key).update(tree(), jax.eval_shape(make(key).init, tree()))


def wrapped(optimizer, name):
    mask = {"a": True, "b": False}
    return {
        "chain": lambda: optax.chain(optimizer, optax.identity()),
        "named_chain": lambda: optax.named_chain(("one", optimizer), ("two", optax.clip(1e9))),
        "masked": lambda: optax.masked(optimizer, mask),
        "partition": lambda: optax.partition({"x": optimizer, "y": optax.adam(0.1)}, {"a": "x", "b": "y"}),
        "multi_transform": lambda: optax.multi_transform({"x": optimizer, "y": optax.sgd(0.1)}, {"a": "x", "b": "x"}),
        "apply_if_finite": lambda: optax.apply_if_finite(optimizer, 3),
        "multi_steps": lambda: optax.MultiSteps(optimizer, 2).gradient_transformation(),
    }[name]()


WRAPPERS = ("chain", "named_chain", "masked", "partition", "multi_transform", "apply_if_finite", "multi_steps")
# a wrapper sees init and update alone: method 1 asks most of it, the others meet hidden leaves and a branch
FOR_ALL = ("masked", "multi_steps")
WRAPPED = [(key, wrapper) for key in KEYS for wrapper in WRAPPERS if key == "method1" or wrapper in FOR_ALL]


@pytest.mark.parametrize(("key", "wrapper"), WRAPPED)
def test_wrappers_of_optax_trace_and_keep_their_states(key, wrapper):
    params, optimizer = tree(), wrapped(make(key), wrapper)
    hidden = wrapper in ("masked", "partition")

    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        value_fn = normbench.jax.unmasked(loss, params) if hidden else loss
        extra = {"value": value, "value_fn": value_fn} if key in VALUED else {}
        updates, state = optimizer.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    state = jax.eval_shape(optimizer.init, params)
    kept = jax.eval_shape(lambda p, s: jax.lax.scan(lambda c, _: (step(*c), None), (p, s), length=2)[0], params, state)
    assert jax.tree.map(lambda leaf: leaf.dtype, kept) == jax.tree.map(lambda leaf: leaf.dtype, (params, state))
