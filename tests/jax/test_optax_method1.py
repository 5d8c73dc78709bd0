"""Method 1 in optax for any function: modes of differentiation, leaves off the spheres, batches in chunks, masks."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from small_convnet import samples

import normbench.jax
from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark.perceptron import Objective
from normbench.jax.line_derivatives import forward, reverse
from normbench.jax.transformations.curve import ValueCurve

pytestmark = pytest.mark.usefixtures("float64")

TIGHT = 1e-10


def walk(optimizer, params, loss, steps):
    """Yield the value before, and the parameters and state after every step of a compiled loop."""

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
        return optax.apply_updates(params, updates), state, value

    state = jax.jit(optimizer.init)(params)
    for _ in range(steps):
        params, state, value = step(params, state)
        yield float(value), params, state


def trajectory(optimizer, params, loss, steps):
    """Final parameters, all losses and the final state; a further step says the last loss."""
    values, every, states = zip(*walk(optimizer, params, loss, steps + 1), strict=True)
    return every[-2], list(values), states[-2]


def assert_close(left, right, tolerance):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def biased_loss(params, batch):
    """Cross-entropy of a network with biases and a smooth activation."""
    x, y = batch
    hidden = jnp.tanh(x.reshape(len(x), -1) @ params["in"]["w"].T + params["in"]["b"])
    logits = hidden @ params["out"]["w"].T + params["out"]["b"]
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.argmax(y, axis=1)))


def biased_parameters(seed):
    rng = np.random.default_rng([seed, 41])
    layer = lambda out, into: {"w": rng.normal(size=(out, into)) / into**0.5, "b": np.zeros(out)}  # noqa: E731
    return {"in": layer(5, 72), "out": layer(3, 5)}


def one_layer(params, batch):
    """Cross-entropy of one bent layer with biases."""
    x, y = batch
    logits = jnp.tanh(3 * x.reshape(len(x), -1) @ params["w"].T + params["b"])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.argmax(y, axis=1)))


def vectors(params):
    return jax.tree.map(lambda p: p.ndim < 2, params)


@pytest.mark.parametrize("mode", [forward, reverse], ids=["forward", "reverse"])
def test_both_modes_agree_with_the_fast_path_at_every_order(case_of, mode):
    problem = case_of("method1", layers=(5, 7, 3)).problem
    x, y, *weights = map(jnp.asarray, (problem.x_train, problem.y_train, *problem.weights))
    rng = np.random.default_rng(4)
    velocity = [jnp.asarray(rng.normal(size=w.shape)) for w in weights]
    moving = [jnp.asarray(k != 1) for k in range(len(weights))]
    velocity[1] = jnp.zeros_like(velocity[1])

    def loss(params):
        hidden = x
        for w in params[:-1]:
            hidden = jax.nn.relu(hidden @ w.T)
        return jnp.mean(jnp.sum(jnp.square(hidden @ params[-1].T - y), axis=1)) / 2

    fast = Objective(x.T[None], y.T[None], jnp.asarray(1 / len(x)), jnp.asarray(1.0))
    curve = ValueCurve(loss, weights, tuple(weights), (False,) * 2, mode)
    found, expected = jax.jit(
        lambda: [f.curve_derivatives(f.point(tuple(weights)), velocity, moving, 4) for f in (curve, fast)]
    )()
    np.testing.assert_allclose(found, expected, rtol=TIGHT)


@jax.custom_vjp
def softened(x):
    return jnp.tanh(x)


softened.defvjp(lambda x: (jnp.tanh(x), x), lambda x, g: (g * (1 - jnp.square(jnp.tanh(x))),))


def test_a_function_with_a_backward_pass_of_its_own_takes_reverse_mode():
    matrix = jnp.asarray(np.random.default_rng(5).normal(size=(3, 4)))
    target = jnp.asarray([1.0, -0.5, 0.25, 2.0])
    start = {"w": jnp.asarray([1.0, 2.0, -1.0])}
    own, plain = (lambda p, f=f: jnp.sum(jnp.square(f(p["w"] @ matrix) - target)) for f in (softened, jnp.tanh))
    with pytest.raises(InvalidArgumentError, match="cannot pass"):
        trajectory(normbench.jax.method1(), start, own, 1)
    found = trajectory(normbench.jax.method1(differentiation="reverse"), start, own, 10)
    assert_close(found, trajectory(normbench.jax.method1(), start, plain, 10), TIGHT)


def test_other_type_errors_of_a_users_function_are_its_own():
    def broken(params):
        return jnp.sum(params["w"]) if isinstance(params["w"], float) else jnp.dot(params["w"], "text")

    params = {"w": np.ones(3)}
    optimizer = normbench.jax.method1()
    with pytest.raises(TypeError, match="non-array argument"):
        jax.eval_shape(partial(optimizer.update, value=1.0, value_fn=broken), params, optimizer.init(params), params)


def test_biases_move_on_straight_lines_and_weights_on_spheres():
    radius = 0.3
    params, loss = biased_parameters(1), partial(biased_loss, batch=samples(1))
    optimizer = normbench.jax.method1(euclidean=vectors, radius=radius)
    _, unravel = ravel_pytree(params)
    hessian = jax.jit(jax.hessian(lambda p: loss(unravel(p))))
    value, grad = jax.jit(loss), jax.jit(jax.grad(loss))
    for _, new, state in walk(optimizer, params, loss, 8):
        expected, tau = by_hand(params, grad(params), value, hessian, radius)
        params = new
        assert float(state.step_size) == pytest.approx(tau, rel=1e-9)
        assert_close(params, expected, 1e-11)
    assert all(np.linalg.norm(layer["b"]) > 0 for layer in params.values())


def by_hand(params, grads, loss, hessian, radius):
    """One step of Algorithm 2 with derivatives from a Hessian: d2L = z'Hz + <g, acceleration>, 0 on a line."""
    z, acceleration = {}, {}
    for layer in params:
        g, w = (np.asarray(tree[layer]["w"]) for tree in (grads, params))
        tangent = g - np.vdot(g, w) * w / np.vdot(w, w)
        b = np.asarray(grads[layer]["b"])
        z[layer] = {
            "w": -tangent * np.linalg.norm(w) / np.linalg.norm(tangent),
            "b": -radius * b / np.linalg.norm(b),
        }
        acceleration[layer] = {"w": -w, "b": np.zeros_like(b)}
    trees = (params, z, acceleration, grads)  # as ravel_pytree has them
    flat, speed, bend, slope = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(t)]) for t in trees)
    first, second = float(slope @ speed), float(speed @ np.asarray(hessian(flat)) @ speed + slope @ bend)
    tau = -first / second if second and 0 <= -first / second <= math.pi / 6 else math.pi / 6
    while True:
        moved = {
            layer: {
                "w": params[layer]["w"] * math.cos(tau) + z[layer]["w"] * math.sin(tau),
                "b": params[layer]["b"] + tau * z[layer]["b"],
            }
            for layer in params
        }
        if loss(moved) <= loss(params):
            return moved, tau
        tau /= 2


def test_a_mask_may_be_a_tree_or_a_prefix_of_one():
    params, loss = biased_parameters(2), partial(biased_loss, batch=samples(2))
    whole = {"in": {"w": False, "b": True}, "out": {"w": True, "b": True}}
    prefix = {"in": {"w": False, "b": True}, "out": True}
    whole["out"]["w"] = np.True_
    first, second = (normbench.jax.method1(euclidean=mask) for mask in (whole, prefix))
    states = [optimizer.init(params) for optimizer in (first, second)]
    assert_close(*states, 0)
    assert [float(r) for r in states[0].radii[:1] + states[0].radii[2:]] == [1.0, 1.0, 1.0]
    one, other = (
        str(jax.make_jaxpr(partial(optimizer.update, value=1.0, value_fn=loss))(params, states[0], params))
        for optimizer in (first, second)
    )
    assert one == other  # biased_loss has no function whose address would be shown
    with pytest.raises(InvalidArgumentError, match="euclidean=True would leave no parameter on a sphere"):
        normbench.jax.method1(euclidean=True).init(params)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"in": True}, "must have the structure .* Say False"),
        ({"in": True, "out": None}, "must have the structure .* Say False"),
        ({"in": True, "out": 1.0}, "must be a tree of True and False"),
    ],
    ids=["structure", "none", "type"],
)
def test_a_bad_mask_raises(mask, message):
    with pytest.raises(InvalidArgumentError, match=f"euclidean {message}"):
        normbench.jax.method1(euclidean=mask).init(biased_parameters(0))


def test_a_bias_without_a_gradient_rests():
    params = {"w": np.ones((2, 2)), "b": np.zeros(2), "unused": np.zeros(3)}

    def loss(p):
        return jnp.sum(jnp.square(p["w"] @ jnp.asarray([1.0, 2.0]) + p["b"]))

    new, values, _ = trajectory(normbench.jax.method1(euclidean=vectors), params, loss, 5)
    assert not np.asarray(new["unused"]).any()
    assert values[-1] < values[0]


def test_a_batch_in_chunks_and_reverse_mode_take_the_same_steps_down():
    x, y = samples(3, number=32)
    chunks = x.reshape(4, 8, *x.shape[1:]), y.reshape(4, 8, -1)
    whole, parts = partial(one_layer, batch=(x, y)), normbench.jax.accumulated(one_layer, chunks)
    start = {"w": np.random.default_rng([3, 41]).normal(size=(3, 72)) / 72**0.5, "b": np.zeros(3)}
    optimizer = normbench.jax.method1(euclidean=vectors)
    expected = trajectory(optimizer, start, whole, 8)
    assert_close(trajectory(optimizer, start, parts, 8), expected, 1e-12)
    reverse = normbench.jax.method1(differentiation="reverse", euclidean=vectors)
    assert_close(trajectory(reverse, start, parts, 8), expected, TIGHT)
    end, values, _ = expected
    assert all(after <= before for before, after in itertools.pairwise(values))
    assert values[-1] < values[0]
    assert np.linalg.norm(end["w"]) == pytest.approx(np.linalg.norm(start["w"]), rel=1e-13)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_step_over_chunks_has_the_memory_of_one(mode):
    number = 4096
    params, optimizer = {"w": np.ones((32, 4))}, normbench.jax.method1(differentiation=mode)

    def bent(params, batch):
        x, y = batch
        return jnp.mean(jnp.square(jnp.tanh(x @ params["w"].T).sum(axis=1) - y))

    def memory(chunks):
        def step(params, state, chunks):
            loss = normbench.jax.accumulated(bent, chunks)
            value, grads = jax.value_and_grad(loss)(params)
            return optimizer.update(grads, state, params, value=value, value_fn=loss)

        shapes = [jax.ShapeDtypeStruct((chunks, number // chunks, *rest), np.float64) for rest in ((4,), ())]
        compiled = jax.jit(step).lower(params, jax.eval_shape(optimizer.init, params), shapes).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert memory(16) < 0.2 * memory(1)


@pytest.mark.parametrize("shapes", [((4, 2), (3, 2)), ((0, 2),), ((),), ()], ids=str)
def test_batches_of_different_numbers_raise(shapes):
    with pytest.raises(InvalidArgumentError, match="batches must be arrays stacked along one leading axis"):
        normbench.jax.accumulated(biased_loss, [jnp.ones(shape) for shape in shapes])


def test_under_a_mask_the_hidden_parameters_keep_their_values_during_the_search():
    params, loss = biased_parameters(5), partial(biased_loss, batch=samples(5))
    labels = jax.tree.map(lambda p: "weights" if p.ndim == 2 else "biases", params)
    optimizer = optax.partition({"weights": normbench.jax.method1(), "biases": optax.sgd(0.0)}, labels)

    def frozen(weights):
        return loss({name: {"w": weights[name], "b": layer["b"]} for name, layer in params.items()})

    expected, values, _ = trajectory(normbench.jax.method1(), {k: v["w"] for k, v in params.items()}, frozen, 5)

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        value_fn = normbench.jax.unmasked(loss, params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=value_fn)
        return optax.apply_updates(params, updates), state, value

    found, state = params, optimizer.init(params)
    for expected_value in values[:-1]:
        found, state, value = step(found, state)
        assert float(value) == pytest.approx(expected_value, rel=1e-12)
    assert_close({name: layer["w"] for name, layer in found.items()}, expected, 1e-12)
