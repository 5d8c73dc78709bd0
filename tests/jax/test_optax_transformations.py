"""The optax transformations in a user's own loop: the reference's numbers, under every transformation of JAX."""

import dataclasses
import math
import re
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax_members import AVERAGING, BALLS, NORMED, VALUED

import normbench.jax
from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark.trainer import JaxTrainer
from tests.agreement.cases import ONE_OF_EACH, Case

STEPS = 60
FEWER = 30  # of three problems at once, and of roots and polar factors, which magnify rounding
TIGHT = 1e-10
OTHER = {"layers": (6, 3, 8, 2), "seed": 6}
SHALLOW = (5, 4, 3)  # whose programs are the smallest
SPHERE = Case("geodesic_lbfgs", parametrisation="sphere", layers=SHALLOW)
MEMBERS = [SPHERE if c.key == SPHERE.key else dataclasses.replace(c, layers=SHALLOW) for c in ONE_OF_EACH]
LOOPS = [  # every choice of a program; numbers and other networks come with one of these
    next(case for case in MEMBERS if case.key == "method2_exp"),
    Case("method1", {"order": 3}, **OTHER),
    Case("method1", {"order": 4}, layers=SHALLOW),
    Case("method1", {"max_halvings": 0, "trust_region": 0.01}, layers=SHALLOW),
    Case("agd", **OTHER),
    Case("fromage", {"learning_rate": 0.1, "p_bound": 1.0}, **OTHER),
    Case("geodesic_lbfgs", {"history": 3}, layers=(6, 3, 2), seed=6, parametrisation="ball"),
    Case("online_lbfgs", {"history": 3, "momentum": 0.3, "power": 2}, parametrisation="ball", **OTHER),
    Case("polar_average", {"momentum": 0.5, "offset": 3, "power": 2}, parametrisation="ball", **OTHER),
]


@pytest.fixture(params=MEMBERS, ids=lambda case: case.key)
def each(request):
    return request.param


def of(key):
    return next(case for case in MEMBERS if case.key == key)


def nest(weights):
    """A user's parameters: a nested dictionary, whose leaves JAX sorts by name, not by depth; the last is a kernel."""
    *hidden, last = weights
    trunk = {name: {"kernel": w} for name, w in zip("ba", hidden, strict=False)}
    return {"trunk": trunk, "head": last[:, :, None, None]}


def flat(params):
    return [*(params["trunk"][name]["kernel"] for name in "ba" if name in params["trunk"]), params["head"][:, :, 0, 0]]


class Loop:
    """What a user writes: a pure loss of nested parameters, a transformation, and a step."""

    def __init__(self, case, *, dtype=np.float64, wrap=lambda t: t):
        problem = case.problem
        self.data = problem.x_train.astype(dtype), problem.y_train.astype(dtype)
        self.divisor = 2 * problem.loss_divisor * len(problem.x_train)
        self.params = nest([w.astype(dtype) for w in problem.weights])
        self.factors = (1.0,) * len(problem.weights)
        self.case = case
        self.optimizer = wrap(getattr(normbench.jax, case.key)(**case.options))
        self.jitted, self.init = jax.jit(self.step), jax.jit(self.optimizer.init)

    def loss(self, params, data):
        x, y = data
        *hidden, last = flat(params)
        for w in hidden:
            x = jax.nn.relu(x @ w.T)
        return jnp.sum(jnp.square(x @ last.T - y)) / self.divisor

    def step(self, params, state, data, factors):
        """Parameters and state behind a step; before it the parameters that losses are of, and their loss.

        The gradients, in the order of the layers, are multiplied by ``factors``.
        """
        value, grads = jax.value_and_grad(self.loss)(params, data)
        grads = nest([g * factor for g, factor in zip(flat(grads), factors, strict=True)])
        extra = {"value": value, "value_fn": partial(self.loss, data=data)} if self.case.key in VALUED else {}
        judged = params
        if self.case.key in AVERAGING:
            judged = normbench.jax.averaged(state, params)
            value = self.loss(judged, data)
        updates, state = self.optimizer.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state, judged, value

    def run(self, steps, *, params=None, data=None, factors=None):
        """Losses, step sizes and final weights of a Python loop; a further step says the last loss."""
        params, data, factors = params or self.params, data or self.data, factors or self.factors
        state = self.init(params)
        losses, step_sizes = [], []
        for _ in range(steps + 1):
            params, state, judged, value = self.jitted(params, state, data, factors)
            losses.append(float(value))
            step_sizes.append(float(self.rate(state)))
        return losses, step_sizes[:-1], [np.asarray(w, np.float64) for w in flat(judged)]

    def scanned(self, params, data, *, steps):
        """What :meth:`run` gives, of one compiled loop."""

        def body(carry, _):
            params, state, _ = carry
            params, state, judged, value = self.step(params, state, data, self.factors)
            return (params, state, judged), (value, self.rate(state))

        first = params, self.optimizer.init(params), params
        (_, _, judged), (losses, step_sizes) = jax.lax.scan(body, first, length=steps + 1)
        return losses, step_sizes[:-1], flat(judged)

    def rate(self, state):
        return getattr(state, "step_size", self.case.hyper.get("learning_rate", 0.01))


compiled_loop = lru_cache(Loop)  # tests that ask for the same case share its programs


def steps_of(case):
    return FEWER if case.key in BALLS else STEPS


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", LOOPS, ids=lambda case: case.name)
def test_agrees_with_the_reference_in_a_python_loop(case, deviation):
    steps = steps_of(case)
    assert deviation(case.reference(steps), *compiled_loop(case).run(steps)) <= TIGHT


@pytest.mark.usefixtures("float64")
def test_agrees_with_the_reference_in_a_vmap_of_scans(each, deviation):
    loops = [Loop(case) for case in (each, *(dataclasses.replace(each, seed=seed) for seed in (3, 4)))]
    assert len({loop.divisor for loop in loops}) == 1
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *((loop.params, loop.data) for loop in loops))
    together = jax.jit(jax.vmap(partial(loops[0].scanned, steps=FEWER)))(*batch)
    for k, loop in enumerate(loops):
        losses, step_sizes, weights = jax.tree.map(lambda leaf, k=k: np.asarray(leaf[k]), together)
        found = losses.tolist(), np.broadcast_to(step_sizes, len(losses) - 1).tolist(), weights
        assert deviation(loop.case.reference(FEWER), *found) <= TIGHT


@pytest.mark.quick
@pytest.mark.usefixtures("float64")
def test_the_check_of_agreement_catches_a_planted_fault(deviation):
    case = of("method2_exp")
    found = compiled_loop(case).run(STEPS, factors=(1.000001, 1.0))
    assert deviation(case.reference(STEPS), *found) > 100 * TIGHT


@pytest.mark.quick
@pytest.mark.usefixtures("float64")
def test_the_check_of_agreement_catches_a_wrong_sign(deviation):
    case = next(case for case in LOOPS if case.key == "agd")
    assert deviation(case.reference(5), *compiled_loop(case).run(5, factors=(-1.0,) * 3)) > 1e-3


@pytest.mark.parametrize("enabled", [False, True], ids=["64-bits-off", "64-bits-on"])
def test_float32_stays_float32_and_near_the_reference(each, deviation, enabled):
    loop = compiled_loop(each, dtype=np.float32)
    with jax.enable_x64(enabled):
        state = jax.eval_shape(loop.optimizer.init, loop.params)
        kept = jax.eval_shape(loop.step, loop.params, state, loop.data, loop.factors)
        numbers = {leaf.dtype for leaf in jax.tree.leaves(kept) if jnp.issubdtype(leaf.dtype, jnp.inexact)}
        assert numbers == {jnp.dtype(jnp.float32)}
        if not enabled:
            # rounding of a step, through five steps and four layers: some hundred units in the last place
            assert deviation(each.reference(5), *loop.run(5)) <= 500 * np.finfo(np.float32).eps


def program(loop):
    """The step as JAX traces it, without the addresses of functions."""
    state = jax.eval_shape(loop.optimizer.init, loop.params)
    return re.sub("0x[0-9a-f]+", "", str(jax.make_jaxpr(loop.step)(loop.params, state, loop.data, loop.factors)))


def test_a_chain_hands_on_everything_that_the_update_needs(each):
    plain, chained = (Loop(each, dtype=np.float32, wrap=wrap) for wrap in (lambda t: t, in_a_chain))
    assert program(chained) == program(plain)


def in_a_chain(optimizer):
    return optax.chain(optimizer, optax.identity())


def test_dead_relus_leave_the_weights_in_place(each):
    loop = compiled_loop(each, dtype=np.float32)
    first, *others = map(np.abs, flat(loop.params))
    dead = (-first, *others)
    x, y = loop.data
    _, step_sizes, weights = loop.run(3, params=nest(dead), data=(np.abs(x), y))
    assert all(map(np.array_equal, weights, dead))
    if each.key != "polar_average" and specs.LEARNING_RATE not in specs.get(each.key).resolve({}):
        assert step_sizes == [0.0] * 3


@pytest.mark.parametrize("key", ["method2", "method2_exp", "agd", "fromage", "lars", *AVERAGING])
@pytest.mark.parametrize("resting", range(2), ids=["first", "last"])
def test_a_layer_with_a_zero_gradient_rests_while_the_others_move(key, resting):
    loop = compiled_loop(of(key), dtype=np.float32)
    factors = tuple(float(k != resting) for k in range(2))
    moved, *_ = loop.jitted(loop.params, loop.init(loop.params), loop.data, factors)
    pairs = [(np.asarray(new), old) for new, old in zip(flat(moved), flat(loop.params), strict=True)]
    assert [not np.array_equal(new, old) for new, old in pairs] == [k != resting for k in range(2)]
    assert all(np.isfinite(new).all() for new, _ in pairs)


def test_64_bits_stay_off_for_the_importing_program():
    """Nothing here turns them on for good, as an import or a trainer might."""
    trainer = JaxTrainer(of("agd").problem, "agd", {}, iterations=3, dtype="float64", device="cpu")
    trainer.compile()
    trainer.advance(3)
    trainer.test_loss()
    reference = of("agd").reference(3)
    np.testing.assert_allclose(trainer.trajectory().loss, reference.loss, rtol=1e-13)  # 64 bits inside
    assert not jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float32


@pytest.mark.parametrize("name", NORMED)
def test_a_zero_leaf_lies_on_no_sphere(name):
    optimizer, params = (
        getattr(normbench.jax, name)(),
        {"a": np.ones((2, 3), np.float32), "b": np.zeros((3, 2), np.float32)},
    )
    with pytest.raises(InvalidArgumentError, match=r"params\['b'\] of shape \(3, 2\) is zero"):
        optimizer.init(params)
    state = jax.jit(optimizer.init)(params)  # traced, it cannot be seen: the layer rests
    kept = state.place.radii if name in BALLS else state.radii
    assert [float(mu) for mu in kept] == pytest.approx([math.sqrt(6), 0.0], rel=1e-5)


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
    + [("online_lbfgs", bad) for bad in ({"history": 0}, {"momentum": 1.0}, {"damping": 0.0}, {"power": 1.5})]
    + [(key, {"radius": r}) for key in BALLS for r in (0.0, -1.0, math.nan, "1", True)],
)
def test_a_bad_hyperparameter_raises(name, bad):
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(bad))} must"):
        getattr(normbench.jax, name)(**bad)
