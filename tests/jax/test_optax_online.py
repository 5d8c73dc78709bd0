"""Online geodesic L-BFGS in optax on mini-batches: the reference's numbers, and of which batch a pair is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import normbench.jax
from normbench import specs
from normbench.jax.updates.quasi_newton import CURVATURE
from normbench.reference.trainer import ReferenceTrainer
from tests.agreement.cases import Case

KEY = "online_lbfgs"
CASE = Case(KEY, {"history": 4, "interval": 2}, layers=(5, 4, 3), parametrisation="ball")
STEPS = 40  # of batches of a quarter of the samples: every pair of the history is replaced many times
ROWS = np.stack([np.random.default_rng([k, 31]).permutation(40)[:10] for k in range(STEPS)])
TIGHT = 1e-10


@pytest.fixture(scope="module")
def reference():
    hyper = specs.get(KEY).resolve(CASE.hyper)
    trainer = ReferenceTrainer(CASE.problem, KEY, hyper, rows=ROWS, parametrisation="ball")
    trainer.advance(STEPS)
    return trainer.trajectory()


def batch_loss(params, rows):
    """The trainer's loss of these samples."""
    problem = CASE.problem
    x, y = (jnp.asarray(array)[rows] for array in (problem.x_train, problem.y_train))
    *hidden, last = params
    for w in hidden:
        x = jax.nn.relu(x @ w.T)
    return jnp.sum(jnp.square(x @ last.T - y)) / (2 * problem.loss_divisor * len(rows))


def run(steps=STEPS, rows_of_pairs=lambda rows: rows, **given):
    """Losses and step sizes, the last average, and the states behind all steps."""
    optimizer = normbench.jax.online_lbfgs(**CASE.options)

    @jax.jit
    def step(params, state, rows):
        grads = jax.grad(batch_loss)(params, rows)
        updates, state = optimizer.update(grads, state, params, value_fn=batch_loss, rows=rows_of_pairs(rows), **given)
        params = optax.apply_updates(params, updates)
        average = normbench.jax.averaged(state, params)
        return params, state, average, batch_loss(average, rows)

    params = tuple(map(jnp.asarray, CASE.problem.weights))
    state, losses, states = optimizer.init(params), [float(batch_loss(params, ROWS[0]))], []
    for rows in ROWS[:steps]:
        params, state, average, value = step(params, state, rows)
        losses.append(float(value))
        states.append(state)
    return losses, [float(state.step_size) for state in states], list(map(np.asarray, average)), states


@pytest.mark.usefixtures("float64")
def test_mini_batches_give_the_numbers_of_the_reference(reference, deviation):
    *found, states = run()
    assert deviation(reference, *found) <= TIGHT
    assert int(states[-1].walk.memory.count) > 4 * CASE.hyper["history"]


@pytest.mark.usefixtures("float64")
def test_the_check_catches_pairs_of_two_batches(reference, deviation):
    *found, _ = run(rows_of_pairs=lambda rows: (rows + 1) % 40)
    assert deviation(reference, *found) > 1e3 * TIGHT


@pytest.mark.usefixtures("float64")
def test_a_finite_value_changes_nothing():
    for a, b in zip(*(jax.tree.leaves(run(3, **given)) for given in ({}, {"value": 2.0})), strict=True):
        assert np.array_equal(a, b)


def test_a_pair_is_kept_where_the_loss_of_its_batch_curves_upwards():
    """Along a line: of x^2 it does, of -x^2 it does not; a leaf (1, 1) has one direction in its ball."""
    optimizer, params = normbench.jax.online_lbfgs(radius=1.0, interval=1), jnp.full((1, 1), 0.3)

    def parabola(params, sign):
        return sign * jnp.sum(jnp.square(params))

    @jax.jit
    def step(params, state, sign):
        grads = jax.grad(parabola)(params, sign)
        updates, state = optimizer.update(grads, state, params, value_fn=parabola, sign=sign)
        return optax.apply_updates(params, updates), state

    counts, state = [], optimizer.init(params)
    for sign in (1.0, -1.0, 1.0):
        params, state = step(params, state, sign)
        counts.append(int(state.walk.memory.count))
    assert counts == [1, 1, 2]
    memory = state.walk.memory
    sizes = np.linalg.norm(memory.s[:2], axis=1) * np.linalg.norm(memory.y[:2], axis=1)
    assert (memory.curvature[:2] > CURVATURE * sizes).all()


@pytest.mark.parametrize("wrong", [jnp.nan, jnp.inf])
def test_what_is_not_finite_shows_in_a_leaf_that_rests_too(wrong):
    optimizer, params = normbench.jax.online_lbfgs(), {"moves": jnp.ones((2, 3)), "rests": jnp.ones((3, 2))}

    @jax.jit
    def step(state, number):
        grads = {"moves": jnp.ones((2, 3)).at[0, 1].set(number), "rests": jnp.zeros((3, 2))}
        return optimizer.update(grads, state, params, value_fn=lambda params: jnp.sum(params["moves"]))

    updates, state = step(optimizer.init(params), 2.0)
    assert np.isfinite(updates["moves"]).all()
    assert not updates["rests"].any()
    updates, state = step(optimizer.init(params), wrong)
    assert all(np.isnan(leaf).all() for leaf in updates.values())
    assert np.isnan(state.step_size)
