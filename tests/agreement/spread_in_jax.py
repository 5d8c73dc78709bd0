"""The runs of spread_runs in JAX, where a process has as many devices as it begins with; test_devices runs it.

Prints as JSON what the runs came to, which optimisers take a step, derivatives along curves, Gauss-Newton matrices and
a worker's record.
"""

import gc
import json

import jax
import jax.numpy as jnp

from normbench import specs
from normbench.backends import get
from normbench.campaigns.job import RunJob
from normbench.jax.benchmark import spread
from normbench.jax.benchmark.methods import method
from normbench.jax.benchmark.perceptron import Point
from normbench.jax.line_derivatives import at_zero
from normbench.jax.updates.through import asked as asked_through
from normbench.records.record import UNTUNED
from normbench.running.run import build_trainer, problem_of
from tests.agreement.conftest import build, problem_for
from tests.agreement.spread_runs import CASES, DEVICES, made
from tests.running.few_digits import asked, few_digits


def steps(key):
    """True if an optimiser takes a step over devices, and what it carries keeps its shape; nothing is computed."""
    trainer = build("jax", problem_for(key), key, capacity=3, devices=DEVICES)
    taken = method(key, specs.get(key).resolve({}))

    def step(objective, weights):
        objective = asked_through(objective, trainer._through)
        state = taken.init(objective, weights)
        return state, taken.step(objective, objective.point(weights), state).state

    with trainer._precision():
        before, after = jax.eval_shape(step, trainer._objective, trainer._weights)
    return jax.tree.map(jnp.shape, before) == jax.tree.map(jnp.shape, after)


def derivatives(devices):
    """Along a geodesic, as method 1 asks for them, and of the loss along a line, as a parametrisation does."""
    wanted = asked("digits-xent", "method1", "jax", devices=devices)
    trainer = build_trainer(wanted, problem_of(wanted, few_digits()))

    @jax.jit
    def found(objective, weights):
        velocity = tuple(jnp.flip(w) for w in weights)
        point = Point(weights, objective.loss(weights), weights)
        of_line = at_zero(lambda t: objective.loss(tuple(w + t * jnp.flip(w) for w in weights)), point.loss * 0, 2)
        return objective.curve_derivatives(point, velocity, [jnp.array(True)] * len(weights), 2), of_line

    with trainer._precision():
        return jax.tree.map(float, found(trainer._objective, trainer._weights))


def gauss_newton(devices, activation):
    """The Gauss-Newton matrix, by the hand-made perceptron and by that of any network, and what a sample counts."""
    wanted = asked("digits", "levenberg_marquardt", "jax", devices=devices, activation=activation)
    trainer = build_trainer(wanted, problem_of(wanted, few_digits()))

    @jax.jit
    def found(objective, weights):
        matrix = objective.gauss_newton(weights)
        return jnp.diagonal(matrix), matrix[-1], objective.weight_of_sample

    with trainer._precision():
        return jax.tree.map(lambda array: array.tolist(), found(trainer._objective, trainer._weights))


def job(devices):
    """The record of a run as a worker makes it."""
    wanted = asked("digits", "sgd", "jax", devices=devices, iterations=2)
    return RunJob(wanted, None, UNTUNED, jobs=1, threads=1)().record


if __name__ == "__main__":
    gc.disable()  # tracing makes thousands of objects a program, most of which live as long as this process
    counts = [len(jax.devices())]  # JAX has begun with these, as it has in a worker that made other runs
    record = job(DEVICES)
    counts.append(len(jax.devices()))
    spread.ACCUMULATED = 8  # a share of the whole is three chunks
    found = {name: made(name, "jax", DEVICES) for name in CASES}
    stepped = {key: steps(key) for key in specs.on("jax")}
    along = [derivatives(devices) for devices in (1, DEVICES)]
    matrices = {a: [gauss_newton(devices, a) for devices in (1, DEVICES)] for a in ("relu", "tanh")}
    get("jax").processor_devices(1)
    counts.append(len(jax.devices()))
    said = {"runs": found, "steps": stepped, "along": along, "matrices": matrices, "record": record.to_json()}
    print(json.dumps(said | {"counts": counts}))
