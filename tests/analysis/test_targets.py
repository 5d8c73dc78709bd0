"""What a target costs is interpolated, counted as it was spent, and never made better by runs that missed it."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from normbench.analysis.leaderboard import boards
from normbench.analysis.runs import train_rms_curve
from normbench.analysis.targets import Median, attain, reach
from normbench.cli import main
from normbench.errors import InvalidArgumentError
from normbench.presentation.targets import targets_markdown
from normbench.records.store import Store
from normbench.running.result import Curves

pytestmark = pytest.mark.quick

RMS = (2.0, 1.5, 1.7, 1.0, 0.8)
CURVES = Curves(
    loss=tuple(r**2 / 2 for r in RMS),
    step_size=(0.1,) * 4,
    test_iterations=(0, 2, 4),
    test_loss=(1.0, 1.0, 1.0),
    seconds=(0.0, 1.0, 5.0),
    loss_evaluations=(1, 3, 4, 8, 9),
    gradient_evaluations=(1, 2, 3, 4, 5),
)
NOTHING = {"iterations_done": 0, "loss_evaluations": 0, "gradient_evaluations": 0, "seconds_train": math.nan}


@pytest.fixture
def run(make):
    """A run whose training RMS is ``RMS``, in 10 N per normalised unit, or anything else."""

    def make_run(**changes):
        usual = {
            "curves": CURVES,
            "train_loss": CURVES.loss[-1],
            "train_rms": 10 * RMS[-1],
            "iterations_done": 4,
            "loss_evaluations": 9,
            "gradient_evaluations": 5,
            "seconds_train": 5.0,
            "status": "done",
        }
        return make(**(usual | changes))

    return make_run


def test_the_curve_is_in_the_unit_of_the_data(run, real_record):
    assert train_rms_curve(run()) == pytest.approx([10 * r for r in RMS])
    real = train_rms_curve(real_record)
    assert len(real) == real_record.outcome.iterations_done + 1
    assert real[-1] == pytest.approx(real_record.outcome.train_rms)


def test_a_target_between_two_iterations_is_interpolated(run):
    found = reach(run(), 12.5)  # between 15 (lowest so far, at 2) and 10 (at 3)
    assert not found.censored
    assert (found.iterations, found.loss_evaluations, found.gradient_evaluations) == (2.5, 6.0, 3.5)
    assert found.seconds == pytest.approx(2.0)  # 2 -> 4 took from 1 s to 5 s


@pytest.mark.parametrize(("target", "iterations"), [(20.0, 0.0), (30.0, 0.0), (15.0, 1.0), (10.0, 3.0), (8.0, 4.0)])
def test_a_target_met_at_an_iteration_costs_that_iteration(run, target, iterations):
    found = reach(run(), target)
    assert (found.iterations, found.censored) == (pytest.approx(iterations), False)


def test_a_bump_in_the_loss_does_not_undo_what_was_reached(run):
    assert reach(run(), 16.0).iterations == pytest.approx(0.8)


def test_a_run_that_does_not_get_there_is_censored_at_what_it_spent(run):
    found = reach(run(), 7.9)
    assert found.censored
    assert (found.iterations, found.loss_evaluations, found.gradient_evaluations, found.seconds) == (4, 9, 5, 5.0)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_a_lost_run_reaches_nothing_on_its_way(run, status):
    lost = run(status=status, train_rms=math.nan, train_loss=math.nan)
    assert reach(lost, 100.0).censored
    assert reach(run(status=status), 100.0).censored


def test_a_run_without_an_iteration_has_no_clock(run):
    found = reach(run(status="failed", curves=Curves(), train_rms=math.nan, **NOTHING), 1.0)
    assert (found.iterations, found.censored, math.isnan(found.seconds)) == (0.0, True, True)


def test_records_of_schema_1_know_totals_only(run):
    old = run(curves=replace(CURVES, seconds=(), loss_evaluations=(), gradient_evaluations=()))
    found = reach(old, 12.5)
    assert (found.iterations, found.seconds) == (2.5, pytest.approx(5.0 * 2.5 / 4))
    assert math.isnan(found.loss_evaluations)
    assert reach(old, 1.0).loss_evaluations == 9


def test_the_counts_of_a_real_run_are_those_of_its_trainer(real_record):
    end = reach(real_record, real_record.outcome.train_rms * (1 + 1e-12))
    assert end.iterations == pytest.approx(real_record.outcome.iterations_done)
    assert end.loss_evaluations == pytest.approx(real_record.outcome.loss_evaluations)
    assert end.seconds == pytest.approx(real_record.outcome.seconds_train)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan, math.inf])
def test_a_target_that_is_no_rms_is_refused(run, target):
    with pytest.raises(InvalidArgumentError, match="target_rms"):
        reach(run(), target)


def test_a_median_counts_the_runs_that_miss(run):
    fast, slow = run(), run(seed=1, curves=replace(CURVES, loss=tuple(4 * v for v in CURVES.loss)), train_rms=16.0)
    assert (reach(fast, 12.0).censored, reach(slow, 12.0).censored) == (False, True)
    most = attain([fast, fast, slow], 12.0)
    assert (most.runs, most.reached, most.iterations) == (3, 2, Median(pytest.approx(2.6), False))
    half = attain([fast, slow], 12.0)
    assert half.iterations == Median(pytest.approx((2.6 + 4) / 2), True)


def test_a_majority_of_failed_runs_bounds_nothing_by_more_than_zero(run):
    failed = run(seed=1, status="failed", curves=Curves(), train_rms=math.nan, **NOTHING)
    assert attain([failed, failed, run()], 12.0).seconds == Median(0.0, True)


def test_the_table_orders_rows_by_how_often_and_how_fast_they_arrive(run):
    runs = [run(), run(optimiser="agd", train_rms=7.0), run(optimiser="fromage", train_rms=30.0)]
    lines = targets_markdown(boards(runs), 9.0).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    assert lines[0].startswith("## quadrotor-sim (SIMULATED data)")
    assert [(row[0], row[3]) for row in rows[2:]] == [("agd", "1/1"), ("method1", "1/1"), ("fromage", "0/1")]
    assert rows[4][4] == "> 4.00"
    assert any("of infinite cost" in line for line in lines)


def leaderboard(folder, *arguments):
    result = CliRunner(env={"COLUMNS": "120"}).invoke(main, ["leaderboard", "--out", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_line_shows_any_target_in_every_format(run, tmp_path):
    for seed in (0, 1):
        Store(tmp_path / "records").write(run(seed=seed, train_rms=8.0 - 0.5 * seed))
    table = leaderboard(tmp_path, "--target-rms", "7.7")
    assert "to a training RMS of 7.7 N" in table
    assert "1/2" in table
    assert "to a training RMS of 7.7 N" in leaderboard(tmp_path, "--target-rms", "7.7", "--format", "md")
    [row, *_] = map(json.loads, leaderboard(tmp_path, "--target-rms", "7.7", "--format", "json").splitlines())
    assert (row["reached"], row["iterations_censored"]) == (1, True)
    [first, *_] = csv.DictReader(io.StringIO(leaderboard(tmp_path, "--target-rms", "9", "--format", "csv")))
    assert (first["reached"], first["iterations_censored"]) == ("2", "False")
    assert float(first["iterations_to_target"]) == pytest.approx(np.mean([3.5, 3 + (9.375 - 9) / (9.375 - 7.5)]))
    assert "target" not in leaderboard(tmp_path, "--format", "csv")
    assert CliRunner().invoke(main, ["leaderboard", "--out", str(tmp_path), "--target-rms", "0"]).exit_code == 2
