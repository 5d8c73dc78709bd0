"""Requests drawn over all axes at once, each a seed: every backend refuses one alike, by one error, or it runs.

What runs keeps what it says: figures that are there, a bound that is proven, a network that is kept as it was trained,
a record that is read as it was written, and in float64 the reference's numbers.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from normbench import certificates, specs
from normbench.data import kept_tables
from normbench.data.dataset import Dataset
from normbench.data.splits import JUDGED_ON
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import ACTIVATIONS
from normbench.networks.families import perceptron
from normbench.problems import tasks
from normbench.problems.initial_weights import INITIALISATIONS, USUAL
from normbench.records.build import record_of
from normbench.records.schema import from_json
from normbench.reference.network import forward
from normbench.running import export
from normbench.running.request import DTYPES, Asked
from normbench.running.run import build_trainer, problem_of, run
from normbench.running.schedule import SCHEDULES
from normbench.specs import parametrisations
from tests.agreement.comparison import deviation_of
from tests.running.few_digits import few_digits

# torch's own: torch.func.jvp and geoopt load what torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
DRAWS = 30
RANDOM = np.random.default_rng(0)
TABLES = {  # inputs and outputs of the odd kinds that users bring
    "one-in-one-out": (RANDOM.normal(size=(9, 1)), RANDOM.normal(size=(9, 1))),
    "constant-column": (np.c_[RANDOM.normal(size=(20, 2)), np.ones(20)], RANDOM.normal(size=(20, 2))),
    "repeated-rows": (
        np.repeat(RANDOM.normal(size=(5, 3)), 4, axis=0),
        np.repeat(RANDOM.normal(size=(5, 1)), 4, axis=0),
    ),
    "large-outputs": (RANDOM.normal(size=(12, 4)), 1e6 * RANDOM.normal(size=(12, 2))),
    "more-outputs": (RANDOM.normal(size=(11, 2)), RANDOM.normal(size=(11, 9))),
}
DIGITS = ("digits", "digits-conv", "digits-xent", "digits-conv-xent")
WIDTHS = ((), (1,), (2, 1), (7,), (3, 2, 5), (2,) * 6)
CHANNELS = ((1,), (2,), (3, 2), (1, 1))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """The data sets by task."""
    found = {task: few_digits().take(np.arange(0, 120, 3)) for task in DIGITS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NORMBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(export, "SECONDS", 0.02)  # a product of norms where that is too short
        for name, (inputs, outputs) in TABLES.items():
            columns = tuple(f"x{k}" for k in range(inputs.shape[1])), tuple(f"y{k}" for k in range(outputs.shape[1]))
            parts = {"input_names": columns[0], "output_names": columns[1], "unit": "N"}
            dataset = Dataset(name=name, simulated=False, inputs=inputs, outputs=outputs, **parts)
            key = kept_tables.keep(dataset, columns=columns[0] + columns[1], split="random")
            found[key] = tasks.get(key).dataset()
        yield found


def value_of(h, pick):
    """A value of a hyperparameter, those at the ends of its range among them."""
    if h.choices:
        return pick(*h.choices)
    ends = (h.default,) if h.low == h.high else (h.default, h.low, min(h.high, max(100 * h.low, 10)))
    found = pick(*ends, *h.grid)
    return int(found) if isinstance(h.default, int) and found is not None else found


def drawn(number, samples):
    """One request, backend and dtype aside."""
    rng = np.random.default_rng([number, 5])

    def pick(*choices):
        return choices[rng.integers(len(choices))]

    task = pick(*samples)
    dataset = samples[task]
    inputs, *_, outputs = tasks.get(task).layers(dataset)
    convolutional = tasks.get(task).family == "convolutional"
    spec = specs.get(pick(*specs.SPECS))
    bound = pick(None, 1e-3, 1.0, 20.0, 1e4)
    return {
        "task": task,
        "layers": (inputs, *pick(*(CHANNELS if convolutional else WIDTHS)), outputs),
        "optimiser": spec.key,
        "hyperparameters": {h.name: value_of(h, pick) for h in spec.hyperparameters if rng.random() < 0.4},
        "seed": pick(0, 1, 2**63 - 1),
        "iterations": pick(1, 2, 3),
        "batch_size": None if spec.full_batch else pick(None, None, 1, 3, 10**6),
        "schedule": pick(*SCHEDULES) if rng.random() < 0.3 else SCHEDULES[0],
        "activation": pick(*ACTIVATIONS),
        "initialisation": pick(USUAL, *INITIALISATIONS),
        "lipschitz": bound,
        "output_scale": None if bound else pick(None, 0.01, 7),
        "parametrisation": pick(None, *parametrisations.through(spec, bounded=bound is not None)),
        "judged_on": pick(JUDGED_ON[0], *JUDGED_ON),
        "devices": 2 if rng.random() < 0.05 else 1,
    }


def refused(asked, dataset):
    """What is said against it, from its resolution to its start; None if nothing is."""
    try:
        return run(asked.resolved(), dataset)
    except InvalidArgumentError as error:
        return str(error).replace(repr(asked.backend), "BACKEND")


@pytest.mark.parametrize("number", range(DRAWS))
def test_a_request_is_refused_alike_everywhere_or_runs_as_it_says(number, samples):
    fields = drawn(number, samples)
    dataset, spec = samples[fields["task"]], specs.get(fields["optimiser"])
    there = [backend for backend in ("reference", "torch") if spec.runs_on(backend)] or ["torch"]
    if fields["devices"] > 1:
        there = ["torch"]
    found = {backend: refused(Asked(backend=backend, dtype="float64", **fields), dataset) for backend in there}
    if isinstance(found[there[0]], str):
        assert set(found.values()) == {found[there[0]]}
        assert len(found[there[0]]) < 400
        return
    for backend, result in found.items():
        check(Asked(backend=backend, dtype="float64", **fields).resolved(), dataset, result)
    single = Asked(backend="torch", dtype=DTYPES[0], **fields).resolved()
    check(single, dataset, run(single, dataset))
    first, *others = (result.trajectory for result in found.values())
    for other in others:
        assert (other.status, len(other.loss)) == (first.status, len(first.loss))
        if first.status != "diverged" and first.loss.all() and first.step_size.any():
            apart = deviation_of(other, first)
            assert apart <= 1e-6 or apart <= 100 * natural(there[0], fields, dataset, first)


def natural(backend, fields, dataset, trajectory):
    """How far runs come apart by rounding alone: from weights that are the 1e15th part larger or smaller."""
    request = Asked(backend=backend, dtype="float64", **fields).resolved()
    problem, rng = problem_of(request, dataset), np.random.default_rng(0)
    nudged = tuple(w * (1 + 1e-15 * rng.normal(size=w.shape)) for w in problem.weights)
    trainer = build_trainer(request, replace(problem, weights=nudged))
    trainer.advance(request.iterations)
    return deviation_of(trainer.trajectory(), trajectory)


def check(request, dataset, result):
    outcome, trajectory, network = result.outcome, result.trajectory, result.network
    record = record_of(request, outcome, dataset, jobs=1, threads=1)
    again = from_json(record.to_json(), source="x")
    assert (again.request, again.checksum) == (record.request, record.checksum)
    if outcome.status == "diverged":
        assert not np.isfinite(trajectory.loss[-1])
        return
    figures = (outcome.train_rms, outcome.test_rms, outcome.lipschitz_bound, outcome.lipschitz_measured)
    assert np.isfinite([*figures, *outcome.curves.loss, *outcome.curves.test_loss]).all()
    proof = certificates.from_arrays(network.witness)
    certificates.verify(network.weights, proof, activation=network.activation, output_scale=network.gain_scale)
    if request.lipschitz is not None:
        assert Fraction(proof.bound) <= Fraction(request.lipschitz)
    # what float32 has rounded a chart's variables to is made anew in float64; pairs of points are near each other
    assert outcome.lipschitz_measured <= proof.bound * (1 + 1e-5)
    problem = problem_of(request, dataset)
    trained = problem.output_scale * forward(problem.network, trajectory.weights, problem.x_test)
    x = (problem.x_test / problem.input_norm).reshape(len(trained), -1) / network.input_scale
    widths = (x.shape[1], *map(len, network.weights))
    kept = network.output_scale * forward(perceptron(widths, ACTIVATIONS[network.activation]), network.weights, x)
    room = (1e-10 if request.dtype == "float64" else 1e-3) * proof.bound
    np.testing.assert_allclose(kept, trained, rtol=0, atol=room)
