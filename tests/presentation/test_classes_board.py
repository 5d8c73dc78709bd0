"""Boards of classes and mini-batches: accuracies, the protocol in words and in commands, and curves of errors."""

import csv
import io
import json
import math
import shlex
from dataclasses import replace

import numpy as np
import pytest

from normbench.analysis.leaderboard import boards
from normbench.analysis.runs import cost_curve, train_rms_curve
from normbench.analysis.runs import test_rms_curve as rms_curve_of_the_test_set
from normbench.analysis.selection import row_key
from normbench.presentation import cells, exports
from normbench.presentation.captions import captions
from normbench.presentation.commands import command
from normbench.presentation.labels import tuning_label
from normbench.presentation.quantities import shown
from tests.changes import changed

pytestmark = pytest.mark.quick

CLASSES = {"task": "digits-xent", "layers": (64, 64, 32, 10), "unit": "probability", "simulated": False}
SHARES = {"train": 0.9, "test": 0.95, "train_accuracy": 0.1, "test_accuracy": 0.11}


@pytest.fixture(scope="module")
def classified(make):
    """A record of classes, with anything replaced."""

    def make_record(optimiser="method1", learning_rate=None, **changes):
        fields = {"train_accuracy": 0.99, "test_accuracy": 0.9, "predictors": {"zero": SHARES, "mean": SHARES}}
        return make(optimiser, learning_rate, **(CLASSES | fields | changes))

    return make_record


def only(records):
    [board] = boards(records)
    return board


def headers(board):
    return [quantity.header for quantity in shown(board.rows)]


def rows_of(board, kind="optimiser"):
    return [row for row in board.rows if row.kind == kind]


def test_accuracy_is_shown_of_classes_alone(make, classified):
    assert "accuracy %" in headers(only([classified()]))
    assert "accuracy %" not in headers(only([make()]))
    assert not any("accuracy" in note for note in captions(only([make()])))
    assert any("Brier" in note for note in captions(only([classified()])))


def test_accuracy_is_mean_and_sd_over_the_seeds_that_have_one(classified):
    records = [classified(seed=k, test_accuracy=share) for k, share in enumerate([0.9, 0.92, None])]
    [row] = rows_of(only(records))
    assert row.accuracy.mean == pytest.approx(0.91)
    assert cells.accuracy(row) == "91.0 ± 1.4"
    [alone] = rows_of(only([classified(test_accuracy=0.875)]))
    assert cells.accuracy(alone) == "87.5"


def test_runs_without_an_accuracy_leave_the_cell_empty(classified):
    board = only([classified(), classified("agd", status="failed", test_accuracy=None, train_accuracy=None)])
    assert {row.optimiser: cells.accuracy(row) for row in rows_of(board)} == {"method1": "90.0", "agd": ""}


def test_predictors_stand_beside_with_their_accuracy(classified):
    board = only([classified()])
    assert {row.optimiser: cells.accuracy(row) for row in rows_of(board, "predictor")} == {
        "zero": "11.0",
        "mean": "11.0",
    }


def test_every_format_carries_the_accuracy(classified, make):
    board = only([classified(seed=k, test_accuracy=share) for k, share in enumerate([0.9, 0.92])])
    [first, *_] = (json.loads(line) for line in exports.json_lines([board]).splitlines())
    assert first["test_accuracy_mean"] == pytest.approx(0.91)
    assert first["test_accuracy_sd"] == pytest.approx(0.0141421356, rel=1e-6)
    assert "accuracy %" in exports.markdown([board])
    table = list(csv.DictReader(io.StringIO(exports.csv([only([make()])]))))
    assert {line["test_accuracy_mean"] for line in table} == {""}
    assert "accuracy %" not in exports.markdown([only([make()])])


@pytest.mark.parametrize(
    ("optimiser", "changes", "label"),
    [
        ("method1", {}, "none"),
        ("method1", {"batch_size": 32}, "batch 32"),
        ("adam", {"batch_size": 32, "schedule": "plateau"}, "default 0.001, batch 32, plateau"),
        ("adam", {"schedule": "plateau", "tuning_runs": 5}, "best of 5: 0.001 (default), plateau"),
    ],
)
def test_batch_and_schedule_are_said_where_the_tuning_is(classified, optimiser, changes, label):
    assert tuning_label(only([classified(optimiser, **changes)]).optimisers[0]) == label


def test_another_batch_or_schedule_is_another_row(classified):
    protocols = [{}, {"batch_size": 32}, {"batch_size": 64}, {"batch_size": 32, "schedule": "plateau"}]
    records = [classified("adam", seed=seed, **protocol) for seed in range(2) for protocol in protocols]
    board = only(records)
    assert sorted(row.runs for row in rows_of(board)) == [2, 2, 2, 2]
    assert len({row_key(record) for record in records}) == 4


def command_of(record, *others):
    """The command of the row that the record is in, on the board of them all."""
    board = only([record, *others])
    return command(next(row for row in board.optimisers if record in row.records), board)


def parsed(words):
    from normbench.cli.run import command as run

    program, name, *arguments = shlex.split(words)
    assert (program, name) == ("normbench", "run")
    context = run.make_context("run", arguments)
    return context.params | context.obj


def test_the_command_names_batch_and_schedule(classified):
    words = command_of(classified("adam", batch_size=32, schedule="plateau"))
    assert "--batch-size 32 --schedule plateau" in words
    found = parsed(words)
    assert (found["batch_size"], found["schedule"], found["split"]) == (32, "plateau", None)
    assert {"--batch-size", "--schedule", "--split"}.isdisjoint(command_of(classified()).split())


ON_DEMAND = {"task": "mnist", "layers": (784, 256, 256, 256, 10), "batch_size": 128}


def test_a_split_is_named_where_it_is_not_the_tasks_own(classified):
    official = command_of(classified(split="official", **ON_DEMAND))
    random = command_of(classified(split="random", **ON_DEMAND))
    assert (parsed(official)["split"], parsed(random)["split"]) == (None, "random")


def test_full_batches_of_a_task_of_mini_batches_have_no_command(classified):
    assert command_of(classified(**ON_DEMAND | {"batch_size": None})) == ""
    assert command_of(classified(**ON_DEMAND))


def test_a_task_that_is_gone_has_no_command(classified):
    assert command_of(classified(task="gone")) == ""


def test_a_search_on_other_batches_is_not_the_rows_own(classified):
    values = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    grid = [classified("adam", value, backend="jax", batch_size=64) for value in values]
    best = classified("adam", 1e-2, backend="torch", batch_size=32, tuning_runs=5)
    assert "jax" not in command_of(best, *grid)


def curves(record, **changes):
    return changed(record, curves=replace(record.outcome.curves, **changes))


def test_errors_of_cross_entropy_are_those_that_were_measured(classified):
    """Its losses say nothing of them; between the checkpoints stand straight lines."""
    record = curves(
        classified(train_rms=0.4, train_loss=0.7, iterations_done=4),
        loss=(2.3, 1.0, 0.9, 0.8, 0.7),
        test_iterations=(0, 2, 4),
        test_loss=(2.3, 1.0, 0.9),
        train_rms=(0.9, 0.5, 0.4),
        test_rms=(0.95, 0.6, 0.45),
    )
    np.testing.assert_allclose(train_rms_curve(record), [0.9, 0.7, 0.5, 0.45, 0.4])
    np.testing.assert_array_equal(rms_curve_of_the_test_set(record), [0.95, 0.6, 0.45])
    np.testing.assert_array_equal(cost_curve(record, "iterations"), np.arange(5.0))


def test_a_batch_without_a_loss_has_errors_all_the_same(classified):
    record = curves(
        classified(train_rms=0.2, train_loss=0.0), loss=(1.0, 0.0), test_iterations=(0, 1), train_rms=(0.5, 0.2)
    )
    np.testing.assert_allclose(train_rms_curve(record), [0.5, 0.2])


def test_a_diverged_run_of_classes_has_no_curve(classified):
    record = classified(train_rms=math.nan, status="diverged")
    assert len(train_rms_curve(curves(record, test_iterations=(0, 1), train_rms=(0.5, math.nan)))) == 0


def test_errors_of_the_full_square_loss_follow_from_it(make):
    record = curves(make(train_rms=0.5, train_loss=1.0), loss=(4.0, 1.0), test_iterations=(0, 1), test_loss=(9.0, 4.0))
    np.testing.assert_allclose(train_rms_curve(record), [1.0, 0.5])
    np.testing.assert_allclose(rms_curve_of_the_test_set(record), [1.5, 1.0])
    assert len(train_rms_curve(changed(record, train_loss=0.0))) == 0
