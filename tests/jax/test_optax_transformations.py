"""The optax transformations in a user's own loop: the reference's numbers, under every transformation of JAX."""

import itertools
import math
import re
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import BALLS, NORMED, VALUED

import normbench.jax
from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark.trainer import JaxTrainer

STEPS = 60
SCAN = 8
TIGHT = 1e-10
SAME = 1e-13  # one program compiled in two ways, over a few steps
NAMES = ("first", "second", "last")


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def nest(weights):
    """A user's parameters: a nested dictionary, whose leaves JAX sorts by name, not by depth."""
    first, second, last = map(jnp.asarray, weights)
    return {"trunk": {"b": {"kernel": first}, "a": {"kernel": second}}, "head": last}


def flat(params):
    return [params["trunk"]["b"]["kernel"], params["trunk"]["a"]["kernel"], params["head"]]


class Loop:
    """What a user writes: a pure loss of nested parameters, a transformation, and a step."""

    def __init__(self, case, *, dtype=np.float64, wrap=lambda t: t, **options):
        problem = case.problem
        self.data = jnp.asarray(problem.x_train, dtype), jnp.asarray(problem.y_train, dtype)
        self.divisor = 2 * problem.loss_divisor * len(problem.x_train)
        self.params = nest([w.astype(dtype) for w in problem.weights])
        self.case = case
        self.optimizer = wrap(getattr(normbench.jax, case.key)(**case.options, **options))
        self.jitted = jax.jit(self.step)
        self.update, self.init = jax.jit(self.optimizer.update), jax.jit(self.optimizer.init)
        self.value_and_gradient = jax.jit(jax.value_and_grad(self.loss))
        self.scan = jax.jit(self.scanned)

    def loss(self, params, data):
        x, y = data
        first, second, last = flat(params)
        hidden = jax.nn.relu(jax.nn.relu(x @ first.T) @ second.T)
        return jnp.sum(jnp.square(hidden @ last.T - y)) / self.divisor

    def step(self, params, state, data):
        value, grads = jax.value_and_grad(self.loss)(params, data)
        extra = {"value": value, "value_fn": partial(self.loss, data=data)} if self.case.key in VALUED else {}
        if self.case.key == "polar_average":
            value = self.loss(self.judged(params, state), data)
        updates, state = self.optimizer.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state, value

    def judged(self, params, state):
        """The parameters that losses are of: the average where there is one."""
        return normbench.jax.averaged(state, params) if self.case.key == "polar_average" else params

    def run(self, steps, *, params=None, data=None, step=None):
        """Losses, step sizes and final weights of a Python loop."""
        params, data, step = params or self.params, data or self.data, step or self.jitted
        state = self.init(params)
        losses, step_sizes = [], []
        for _ in range(steps):
            params, state, value = step(params, state, data)
            losses.append(float(value))
            rate = getattr(state, "step_size", self.case.hyper.get("learning_rate", 0.01))
            step_sizes.append(float(rate))
        params = self.judged(params, state)
        losses.append(float(self.value_and_gradient(params, data)[0]))
        return losses, step_sizes, [np.asarray(w, np.float64) for w in flat(params)]

    def scanned(self, params, state):
        """SCAN steps in one compiled loop: final parameters and state, and the losses before each step."""

        def body(carry, _):
            params, state, value = self.step(*carry, self.data)
            return (params, state), value

        (params, state), losses = jax.lax.scan(body, (params, state), length=SCAN)
        return params, state, losses


compiled_loop = lru_cache(Loop)  # tests that ask for the same case share its programs


def assert_close(left, right, tolerance):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, float(jnp.abs(b).max())))


@pytest.mark.usefixtures("float64")
def test_agrees_with_the_reference(case, deviation):
    steps = 30 if case.key in BALLS else STEPS  # roots and polar factors magnify rounding
    assert deviation(case.reference(steps), *compiled_loop(case).run(steps)) <= TIGHT


@pytest.mark.quick
@pytest.mark.usefixtures("float64")
def test_the_check_of_agreement_catches_a_planted_fault(case_of, deviation):
    case = case_of("method2_exp")
    assert deviation(case.reference(STEPS), *Loop(case, mean_square_input=1.000001).run(STEPS)) > 100 * TIGHT


@pytest.mark.quick
@pytest.mark.usefixtures("float64")
def test_the_check_of_agreement_catches_a_wrong_sign(case_of, deviation):
    case = case_of("agd")
    assert deviation(case.reference(5), *Loop(case, wrap=partial(optax.chain, optax.scale(-1.0))).run(5)) > 1e-3


@pytest.mark.quick
@pytest.mark.usefixtures("float64")
def test_works_without_jit(case_of, deviation):
    """So do the examples in the docstrings of all others, see tests/torch/test_examples.py."""
    loop = Loop(case_of("fromage"))
    assert deviation(loop.case.reference(2), *loop.run(2, step=loop.step)) <= TIGHT


@pytest.mark.parametrize("enabled", [False, True], ids=["64-bits-off", "64-bits-on"])
def test_float32_stays_float32_and_near_the_reference(each, deviation, enabled):
    with jax.enable_x64(enabled):
        loop = Loop(each, dtype=np.float32)
        kept = jax.eval_shape(loop.step, loop.params, loop.optimizer.init(loop.params), loop.data)
        numbers = {leaf.dtype for leaf in jax.tree.leaves(kept) if jnp.issubdtype(leaf.dtype, jnp.inexact)}
        assert numbers == {jnp.dtype(jnp.float32)}
        if not enabled:
            # rounding of a step, through five steps and four layers: some hundred units in the last place
            assert deviation(each.reference(5), *loop.run(5)) <= 500 * np.finfo(np.float32).eps


@pytest.mark.usefixtures("float64")
def test_a_scan_over_steps_equals_the_python_loop(each):
    loop = compiled_loop(each)
    params, state, losses = loop.scan(loop.params, loop.init(loop.params))
    params = loop.judged(params, state)
    expected_losses, _, weights = loop.run(SCAN)
    assert_close(flat(params), [jnp.asarray(w) for w in weights], SAME)
    assert_close(losses, jnp.asarray(expected_losses[:-1]), SAME)


@pytest.mark.usefixtures("float64")
def test_vmap_over_seeds_equals_one_at_a_time(each, case_of):
    loop = compiled_loop(each)  # the same data from the weights of three seeds
    starts = [nest(case_of(each.key, seed=seed).problem.weights) for seed in range(3)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    together = jax.jit(jax.vmap(loop.scan))(batch, jax.vmap(loop.optimizer.init)(batch))
    assert len({float(value) for value in together[2][:, -1]}) == 3
    for k, params in enumerate(starts):
        single = loop.scan(params, loop.init(params))
        assert_close(jax.tree.map(lambda leaf, k=k: leaf[k], together), single, 1e-12)


def program(loop):
    """The step as JAX traces it, without the addresses of functions."""
    state = jax.eval_shape(loop.optimizer.init, loop.params)
    return re.sub("0x[0-9a-f]+", "", str(jax.make_jaxpr(loop.step)(loop.params, state, loop.data)))


@pytest.mark.usefixtures("float64")
def test_a_chain_hands_on_everything_that_the_update_needs(each):
    assert program(Loop(each, wrap=partial(optax.chain, optax.identity()))) == program(compiled_loop(each))


def test_extra_arguments_of_other_members_of_a_chain_are_ignored(each):
    loop = Loop(each, dtype=np.float32)
    state, ones = loop.optimizer.init(loop.params), jax.tree.map(jnp.ones_like, loop.params)
    extra = {"value": jnp.float32(1), "value_fn": partial(loop.loss, data=loop.data), "something": 1}
    updates, _ = jax.eval_shape(partial(loop.optimizer.update, **extra), ones, state, loop.params)
    assert jax.tree.map(jnp.shape, updates) == jax.tree.map(jnp.shape, loop.params)


@pytest.mark.usefixtures("float64")
def test_dead_relus_leave_the_weights_in_place(each):
    loop = compiled_loop(each)
    first, second, last = (jnp.abs(w) for w in flat(loop.params))
    dead = (-first, second, last)
    x, y = loop.data
    _, step_sizes, weights = loop.run(3, params=nest(dead), data=(jnp.abs(x), y))
    assert all(map(np.array_equal, weights, dead))
    if each.key not in ("fromage", "lars", "polar_average"):
        assert step_sizes == [0.0] * 3


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("key", ["method2", "method2_exp", "agd", "fromage", "lars", "polar_average"])
@pytest.mark.parametrize("resting", range(3), ids=NAMES)
def test_a_layer_with_a_zero_gradient_rests_while_the_others_move(case_of, key, resting):
    loop = compiled_loop(case_of(key))
    _, slope = loop.value_and_gradient(loop.params, loop.data)
    gradient = [np.asarray(g) * (k != resting) for k, g in enumerate(flat(slope))]
    updates, _ = loop.update(nest(gradient), loop.init(loop.params), loop.params)
    assert [bool(np.any(u)) for u in flat(updates)] == [k != resting for k in range(3)]
    assert all(np.isfinite(u).all() for u in flat(updates))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("order", [2, 4])
def test_method1_walks_any_function_down_without_changing_a_norm(order):
    rng = np.random.default_rng([order, 21])
    params = {"kernel": jnp.asarray(rng.normal(size=(3, 2, 3))), "w": jnp.asarray(rng.normal(size=(2, 6)))}
    x, label = jnp.asarray(rng.normal(size=(20, 2, 4))), jnp.asarray(rng.integers(2, size=20))

    def loss(params):
        hidden = jnp.tanh(jax.lax.conv(x, params["kernel"], (1,), "VALID")).reshape(20, -1)
        return optax.softmax_cross_entropy_with_integer_labels(hidden @ params["w"].T, label).mean()

    optimizer = normbench.jax.method1(order=order)
    state, first, losses = optimizer.init(params), params, []

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
        return optax.apply_updates(params, updates), state, value

    for _ in range(50):
        params, state, value = step(params, state)
        losses.append(float(value))
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.9 * losses[0]
    for name, leaf in params.items():
        assert float(jnp.linalg.norm(leaf)) == pytest.approx(float(jnp.linalg.norm(first[name])), rel=1e-13)


def test_64_bits_stay_off_for_the_importing_program(case_of):
    """Nothing here turns them on for good, as an import or a trainer might."""
    trainer = JaxTrainer(case_of("agd").problem, "agd", {}, iterations=3, dtype="float64", device="cpu")
    trainer.compile()
    trainer.advance(3)
    trainer.test_loss()
    reference = case_of("agd").reference(3)
    np.testing.assert_allclose(trainer.trajectory().loss, reference.loss, rtol=1e-13)  # 64 bits inside
    assert not jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float32


@pytest.mark.parametrize("name", ["method2", "method2_exp", "agd", *BALLS])
@pytest.mark.parametrize("shape", [(4,), ()], ids=str)
def test_a_leaf_that_is_no_matrix_raises_with_its_path_and_shape(name, shape):
    with pytest.raises(InvalidArgumentError) as caught:
        getattr(normbench.jax, name)().init({"a": jnp.ones((2, 3)), "b": [jnp.ones((2, 2)), jnp.ones(shape)]})
    assert f"params['b'][1] has shape {shape}. Give it to another transformation with optax.partition." in str(
        caught.value
    )


@pytest.mark.parametrize("name", NORMED)
def test_a_zero_leaf_lies_on_no_sphere(name):
    optimizer, params = getattr(normbench.jax, name)(), {"a": jnp.ones((2, 3)), "b": jnp.zeros((3, 2))}
    with pytest.raises(InvalidArgumentError, match=r"params\['b'\] of shape \(3, 2\) is zero"):
        optimizer.init(params)
    state = jax.jit(optimizer.init)(params)  # traced, it cannot be seen: the layer rests
    kept = state.place.radii if name in BALLS else state.radii
    assert [float(mu) for mu in kept] == pytest.approx([math.sqrt(6), 0.0], rel=1e-5)


def test_an_update_without_the_parameters_raises(each):
    loop = Loop(each, dtype=np.float32)
    extra = {"value": 1.0, "value_fn": None} if each.key in VALUED else {}
    with pytest.raises(InvalidArgumentError, match=r"needs the parameters: update\(grads, state, params\)"):
        loop.optimizer.update(loop.params, loop.optimizer.init(loop.params), **extra)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("method1", {"order": o}) for o in (1, 5, 2.0)]
    + [("method1", {"trust_region": 0.0}), ("method1", {"max_halvings": True})]
    + [("method2", {"mean_square_input": q}) for q in (0.0, -1.0, math.nan, math.inf, "1", None)]
    + [("method1", {"radius": 0.0}), ("method1", {"differentiation": "backward"})]
    + [("method2", {"curvature": 0.0}), ("method2_exp", {"gain": -1.0})]
    + [("method2_exp", {"mean_square_input": True}), ("fromage", {"learning_rate": 2.0}), ("fromage", {"p_bound": 0.9})]
    + [("lars", {"learning_rate": math.nan}), ("polar_average", {"momentum": 1.0}), ("polar_average", {"offset": 1.5})]
    + [("geodesic_lbfgs", bad) for bad in ({"history": 0}, {"damping": 0.0}, {"manifold": "cube"}, {"max_trials": 0})]
    + [("geodesic_lbfgs", {"differentiation": "backward"})]
    + [(key, {"radius": r}) for key in BALLS for r in (0.0, -1.0, math.nan, "1", True)],
)
def test_a_bad_hyperparameter_raises(name, bad):
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(bad))} must"):
        getattr(normbench.jax, name)(**bad)
