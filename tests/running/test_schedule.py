"""The learning rate falls as its schedule says: in the same iterations on every backend, and in the steps taken."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.running.run import run
from normbench.running.schedule import SCHEDULES, Plateau
from tests.running.few_digits import asked, assert_same_run, few_digits

BACKENDS = ("reference", "torch", "jax")
STUCK = {"learning_rate": 1e-9}  # at which no error falls by one per cent
HAS_RATE = [key for key in specs.SPECS if "learning_rate" in specs.get(key).resolve({})]


def flat_at(errors: list[float], **options: Any) -> list[int]:
    """Where a plateau is called."""
    plateau = Plateau(**options)
    return [k for k, error in enumerate(errors) if plateau.is_flat(error)]


def test_a_plateau_is_called_when_patience_is_exceeded_and_counted_anew() -> None:
    assert flat_at([1.0] * 10) == [3, 6, 9]
    assert flat_at([1.0] * 6, patience=0) == [1, 2, 3, 4, 5]


def test_an_improvement_by_more_than_one_per_cent_starts_the_count_again() -> None:
    assert flat_at([1.0, 1.0, 1.0, 0.989, 0.989, 0.989, 0.989]) == [6]
    assert flat_at([1.0, 1.0, 1.0, 0.991, 0.991]) == [3]


def test_small_improvements_add_up() -> None:
    """Each is measured against the best that counted, not against the last error."""
    assert flat_at([0.995**k for k in range(40)]) == []


def test_errors_that_rise_or_are_none_are_no_improvement() -> None:
    assert flat_at([1.0, 2.0, 3.0, 4.0]) == [3]
    assert flat_at([1.0, np.nan, np.nan, np.nan]) == [3]


LENGTHS = pytest.mark.parametrize(("iterations", "batch_size"), [(40, None), (7, 32)])


@LENGTHS
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_is_stuck_has_a_tenth_of_its_rate_every_third_checkpoint(
    backend: str, iterations: int, batch_size: int | None
) -> None:
    """Seven iterations have a checkpoint each, forty have twenty."""
    length = {"iterations": iterations, "batch_size": batch_size}
    wanted = asked("digits", "lars", backend, hyperparameters=STUCK, schedule="plateau", **length)
    found = run(wanted, few_digits()).trajectory.step_size
    checkpoint = np.arange(iterations) // max(iterations // 20, 1)
    np.testing.assert_allclose(found, 1e-9 * 0.1 ** (checkpoint // 3), rtol=1e-12)


@LENGTHS
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_linear_rate_is_the_mean_of_its_line_over_each_stair(
    backend: str, iterations: int, batch_size: int | None
) -> None:
    """Forty iterations have twenty stairs, seven have seven; the last one ends above 0."""
    length = {"iterations": iterations, "batch_size": batch_size}
    wanted = asked("digits", "lars", backend, hyperparameters=STUCK, schedule="linear", **length)
    found = run(wanted, few_digits()).trajectory.step_size
    stairs = min(iterations, 20)
    line = 1e-9 * (1 - (np.arange(stairs) + 0.5) / stairs)
    np.testing.assert_allclose(found, np.repeat(line, iterations // stairs), rtol=1e-12)


@cache
def learning(backend: str) -> Any:
    """A rate at which the digits are learned until the steps are too long."""
    wanted = asked(
        "digits-xent", "fromage", backend, hyperparameters={"learning_rate": 0.3}, schedule="plateau", iterations=40
    )
    return wanted, run(wanted, few_digits())


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_rate_falls_in_the_same_iterations_on_every_backend(backend: str) -> None:
    _, expected = learning("reference")
    rates = np.unique(expected.trajectory.step_size)
    assert 2 <= len(rates) <= 4  # falls at times, and not at once
    assert expected.trajectory.step_size[5] == 0.3
    wanted, found = learning(backend)
    assert_same_run(found.trajectory, expected.trajectory, wanted, rtol=1e-8)


@pytest.mark.parametrize("schedule", SCHEDULES[1:])
@pytest.mark.parametrize("key", [key for key in specs.SPECS if key not in HAS_RATE])
def test_a_schedule_without_a_learning_rate_is_refused(key: str, schedule: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{schedule}' changes a learning rate, and {key} has none"):
        asked("digits", key, "torch" if specs.get(key).runs_on("torch") else "jax", schedule=schedule)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=f"schedule must be one of {', '.join(SCHEDULES)}; got 'sawtooth'"):
        asked("digits", "adam", "torch", schedule="sawtooth")
