"""Mini-batches are the same everywhere, every iteration sees its own, and what they cost is counted in samples."""

from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.backends.trajectory import Trajectory
from normbench.errors import InvalidArgumentError
from normbench.running import run as running
from normbench.running.batches import batches
from normbench.running.run import build_trainer, problem_of, rows_of, run
from tests.running.few_digits import PROTOCOL, asked, assert_same_run, few_digits, of_the_reference, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

TASK, DENSE = "digits-conv-xent", "digits-xent"
SAMPLES = 96  # 80 % of 120
BATCH = PROTOCOL["batch_size"]
EPOCH = SAMPLES // BATCH
CASES = [
    ("agd", {}),
    ("fromage", {}),
    ("adam", {"learning_rate": 0.01}),
    ("method1", {}),
    ("fgsgd", {"learning_rate": 10.0}),
]
LIBRARY = {"learning_rate": 0.01}


def case_id(case: Any) -> str | None:
    return case[0] if isinstance(case, tuple) else None


def test_every_backend_gets_the_same_rows() -> None:
    requests = [asked(TASK, "agd", backend, **PROTOCOL) for backend in ("reference", "torch", "jax")]
    problem = problem_of(requests[0], few_digits())
    first, *others = (rows_of(wanted, problem) for wanted in requests)
    assert first.shape == (30, BATCH)
    for rows in others:
        np.testing.assert_array_equal(rows, first)
    for epoch in range(5):  # an epoch has every sample once
        np.testing.assert_array_equal(np.sort(first[EPOCH * epoch : EPOCH * (epoch + 1)].ravel()), np.arange(SAMPLES))
    assert rows_of(asked(TASK, "agd", "jax"), problem) is None


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_mini_batches_follow_the_reference(case: tuple[str, dict[str, Any]], backend: str) -> None:
    key, hyperparameters = case
    expected = of_the_reference(TASK, key, hyperparameters, **PROTOCOL)
    found = trained(TASK, key, backend, hyperparameters=hyperparameters, **PROTOCOL)
    assert_same_run(found, expected, asked(TASK, key, backend, hyperparameters=hyperparameters, **PROTOCOL))
    assert found.halvings == expected.halvings
    np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
    gradients = expected.gradient_evaluations if backend == "torch" else found.loss_evaluations
    np.testing.assert_array_equal(found.gradient_evaluations, gradients)


@pytest.mark.parametrize("task", ["digits", "digits-conv"])
def test_mini_batches_of_the_square_loss_follow_the_reference(task: str) -> None:
    """Dense networks leave the derivatives by hand, which have the whole batch in tiles."""
    expected = of_the_reference(task, "agd", {}, **PROTOCOL)
    assert_same_run(trained(task, "agd", "torch", **PROTOCOL), expected, asked(task, "agd", "torch", **PROTOCOL))


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_passes_are_samples_over_the_size_of_the_training_set(backend: str) -> None:
    """A batch costs its loss, and the loss behind the step: the first one is at hand when the run begins."""
    found = trained(TASK, "agd", backend, **PROTOCOL)
    steps = np.arange(31)
    np.testing.assert_array_equal(found.loss_evaluations, np.rint(np.maximum(2 * steps, 1) / EPOCH))
    if backend != "jax":  # which makes both in one sweep
        np.testing.assert_array_equal(found.gradient_evaluations, np.rint(steps / EPOCH))


def test_schedule_free_is_the_same_in_both_libraries_to_their_epsilon() -> None:
    found, expected = (
        trained(TASK, "schedule_free", backend, hyperparameters=LIBRARY, **PROTOCOL) for backend in ("torch", "jax")
    )
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-5)
    np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
    assert found.loss[-1] < found.loss[0]


def test_muon_takes_kernels_as_matrices_in_both_libraries_to_two_digits() -> None:
    """torch orthogonalises in bfloat16."""
    found, expected = (
        trained(TASK, "muon", backend, hyperparameters=LIBRARY, **PROTOCOL) for backend in ("torch", "jax")
    )
    start = problem_of(asked(TASK, "muon", "torch"), few_digits()).weights
    for a, b, first in zip(found.weights, expected.weights, start, strict=True):
        assert np.linalg.norm(a - b) < 0.05 * np.linalg.norm(b - first)
    assert found.loss[-1] < found.loss[0]


@pytest.mark.parametrize(
    ("backend", "key"), [("reference", "method1"), ("torch", "method1"), ("torch", "adam"), ("jax", "adam")]
)
def test_the_whole_set_in_another_order_is_the_full_batch(backend: str, key: str) -> None:
    whole = trained(DENSE, key, backend, iterations=8)
    shuffled = trained(DENSE, key, backend, iterations=8, batch_size=SAMPLES)
    assert_same_run(shuffled, whole, asked(DENSE, key, backend))


def test_a_loss_is_that_of_the_batch_behind_its_iteration() -> None:
    wanted = asked(TASK, "agd", "reference", **PROTOCOL)
    problem = problem_of(wanted, few_digits())
    trainer, rows = build_trainer(wanted, problem), rows_of(wanted, problem)
    for iteration in range(3):
        trainer.advance(1)
        loss, weights = trainer.trajectory().loss, trainer.trajectory().weights
        own = running.build_trainer(asked(TASK, "agd", "reference"), _only(problem, rows[iteration], weights))
        assert loss[iteration + 1] == pytest.approx(own.trajectory().loss[0], rel=1e-14)
        if iteration == 0:
            first = running.build_trainer(asked(TASK, "agd", "reference"), _only(problem, rows[0], problem.weights))
            assert loss[0] == pytest.approx(first.trajectory().loss[0], rel=1e-14)


def _only(problem: Any, rows: np.ndarray, weights: Any) -> Any:
    from dataclasses import replace

    return replace(problem, x_train=problem.x_train[rows], y_train=problem.y_train[rows], weights=weights)


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_a_run_measures_its_errors_on_the_whole_sets(backend: str) -> None:
    wanted = asked(DENSE, "agd", backend, **PROTOCOL)
    result = run(wanted, few_digits())
    outcome, problem = result.outcome, problem_of(wanted, few_digits())
    expected = _errors_by_hand(problem, result.trajectory)
    found = [outcome.train_rms, outcome.train_accuracy, outcome.test_rms, outcome.test_accuracy]
    assert found == pytest.approx(expected, rel=1e-9)
    assert len(outcome.curves.train_rms) == len(outcome.curves.test_iterations) == 21


def _errors_by_hand(problem: Any, trajectory: Trajectory) -> list[float]:
    from normbench.reference.network import forward

    found = []
    for x, y in ((problem.x_train, problem.y_train), (problem.x_test, problem.y_test)):
        outputs = np.exp(forward(problem.network, trajectory.weights, x))
        share = outputs / outputs.sum(axis=1, keepdims=True)
        found += [np.sqrt(((share - y) ** 2).sum(axis=1).mean()), np.mean(share.argmax(axis=1) == y.argmax(axis=1))]
    return found


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="batch_size=97 is larger than the training set of 96 samples"):
        run(asked(TASK, "agd", "reference", batch_size=97), few_digits())
    with pytest.raises(InvalidArgumentError, match="batch_size must be at least 1; got 0"):
        asked(TASK, "agd", "reference", batch_size=0)
    with pytest.raises(InvalidArgumentError, match="larger than the training set"):
        next(batches(3, 4, seed=0))


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_lbfgs_is_refused_with_mini_batches(backend: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"lbfgs compares losses.*got batch_size=16\. Leave it out"):
        run(asked(TASK, "lbfgs", backend, **PROTOCOL), few_digits())


HAS_RATE = [key for key in specs.SPECS if "learning_rate" in specs.get(key).resolve({})]
_COMPILED = ("fgsgd", "adam", "muon", "schedule_free")
_CASES = [
    (key, backend)
    for key in HAS_RATE
    for backend in filter(specs.get(key).runs_on, ("reference", "torch", "jax"))
    if backend != "jax" or key in _COMPILED
]


@pytest.mark.parametrize(("key", "backend"), _CASES)
def test_a_lower_rate_is_a_shorter_step(key: str, backend: str) -> None:
    """Not only a smaller figure in the record; in JAX of runs that it has compiled above."""
    wanted = asked("digits-conv-xent", key, backend, **PROTOCOL)
    problem = problem_of(wanted, few_digits())
    ways = []
    for factor in (1.0, 1e-3):
        trainer = build_trainer(wanted, problem)
        trainer.scale_learning_rate(factor)
        trainer.advance(1)
        trajectory = trainer.trajectory()
        ways.append(sum(np.linalg.norm(a - b) for a, b in zip(trajectory.weights, problem.weights, strict=True)))
    assert 0 < ways[1] < 0.1 * ways[0]
