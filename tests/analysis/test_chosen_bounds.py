"""The trials of a way choose its bound, one of at most L for all seeds, and nothing else does."""

import math
from functools import partial

import pytest
from pyarrow import parquet

from ci.results import FRONTIER
from normbench.analysis.chosen_bounds import chosen_bounds
from normbench.analysis.frontier import frontiers
from normbench.records.frame import read_file
from tests.analysis.conftest import BOUNDS
from tests.board_records import published
from tests.changes import changed

pytestmark = pytest.mark.quick

TRIED = range(1000, 1003)


@pytest.fixture
def varied(level):
    """(optimiser, RMS at each bound, changes) -> runs of a way."""

    def runs(optimiser, errors, **changes):
        at = zip(BOUNDS, errors, strict=True)
        return [run for bound, rms in at for run in level(optimiser, rms, bounds=(bound,), **changes)]

    return runs


@pytest.fixture
def tried(varied):
    """The same for trials of a way."""
    return partial(varied, seeds=TRIED, judged_on="validation")


def chosen_of(records):
    [found] = frontiers(records)
    return chosen_bounds(found)


def bounds_of(chosen, optimiser):
    [line] = [line for line in chosen.frontier.lines if line.way.first.request.optimiser == optimiser]
    return [cell.lipschitz for cell in line.cells]


def test_the_lowest_mean_of_the_trials_up_to_each_bound_chooses_and_no_test_value(varied, level, tried):
    runs = [*varied("geodesic_lbfgs", (1.0, 2.0, 0.1)), *level("lbfgs", 1.5)]
    found = chosen_of([*runs, *tried("geodesic_lbfgs", (3.0, 1.0, 2.0)), *tried("lbfgs", (1.0,) * 3)])
    assert found.frontier.bounds == BOUNDS
    assert bounds_of(found, "geodesic_lbfgs") == [5.0, 20.0, 20.0]
    assert bounds_of(found, "lbfgs") == [5.0] * 3  # of equals the smallest
    ours, theirs = ([cell.values[0] for cell in line.cells] for line in reversed(found.frontier.lines))
    assert ours == pytest.approx([1.01, 2.02, 2.02])
    assert theirs == pytest.approx([1.5] * 3)
    assert [cell.rank.rank for cell in found.frontier.lines[0].cells] == [2, 1, 1]
    assert {place.rank.rank for place in found.frontier.places.values()} == {1, 2}
    assert set(found.trial_runs.values()) == {3 * len(BOUNDS)}


@pytest.mark.parametrize(
    ("changes", "bounds"),
    [
        ({}, [5.0, 20.0, 20.0]),
        ({"status": "diverged", "test_rms": math.nan}, [5.0, 5.0, 80.0]),  # a result, and the worst
        ({"status": "failed", "test_rms": math.nan}, None),
        ({"seed": 0}, None),  # which is judged
        ({"seed": 1003}, None),
        ({"iterations": 100}, None),
        ({"data_sha256": "other"}, None),
    ],
)
def test_a_way_without_three_trials_at_each_bound_is_left_out(level, tried, changes, bounds):
    trials = tried("geodesic_lbfgs", (3.0, 1.0, 2.0))
    trials[4] = changed(trials[4], **changes)  # at the second bound
    found = chosen_of([*level("geodesic_lbfgs", 1.0), *level("lbfgs", 1.5), *trials, *tried("lbfgs", (1.0,) * 3)])
    left_out = [line.way.first.request.optimiser for line in found.left_out]
    assert left_out == ([] if bounds else ["geodesic_lbfgs"])
    assert not bounds or bounds_of(found, "geodesic_lbfgs") == bounds


def test_a_tuned_way_is_judged_at_the_values_that_its_searches_chose(level, tried):
    searched = {"tuning_runs": 15, "learning_rate": 0.1}
    best, other = tried("adam", (2.0, 1.0, 3.0), learning_rate=0.1), tried("adam", (0.5, 0.5, 0.1), learning_rate=0.01)
    found = chosen_of([*level("adam", 1.0, **searched), *best, *other])
    assert bounds_of(found, "adam") == [5.0, 20.0, 20.0]
    assert list(found.trial_runs.values()) == [15 * len(BOUNDS)]
    assert not found.has_trials_of_its_own(found.frontier.lines[0])


def test_trials_of_another_backend_serve_and_those_of_two_are_never_mixed(level, tried):
    runs = level("lbfgs", 1.0)
    elsewhere = tried("lbfgs", (3.0, 2.0, 1.0), backend="jax")
    assert bounds_of(chosen_of([*runs, *elsewhere]), "lbfgs") == list(BOUNDS)
    own = tried("lbfgs", (1.0, 2.0, 3.0))
    assert bounds_of(chosen_of([*runs, *elsewhere, *own]), "lbfgs") == [5.0] * 3
    assert chosen_of([*runs, *elsewhere[:6], *own[6:]]) is None


def test_sweeps_are_judged_at_no_bound_and_without_trials_there_is_nothing(level, tried):
    sphere = {"parametrisation": "sphere", "iterations": 100}
    runs = [*level("lbfgs", 1.0), *level("method1", 1.0, **sphere)]
    assert chosen_of(runs) is None
    assert chosen_of([*runs, *tried("method1", (1.0,) * 3, **sphere)]) is None


def test_a_bound_that_a_way_was_not_run_at_is_served_by_a_smaller_one_and_by_none_that_is_larger(level, tried):
    few = [run for run in (*level("lbfgs", 1.0), *tried("lbfgs", (1.0,) * 3)) if run.request.lipschitz == 20.0]
    found = chosen_of([*level("adam", 1.0, tuning_runs=15), *tried("adam", (1.0,) * 3), *few])
    [line] = [line for line in found.frontier.lines if line.way.first.request.optimiser == "lbfgs"]
    assert [(cell.lipschitz, cell.whole) for cell in line.cells] == [(5.0, False), (20.0, True), (20.0, True)]


def test_published_digits_choose_twenty_for_scion_where_more_overfits(tmp_path):
    some = [("task", "=", "digits"), ("optimiser", "=", "scion"), ("lipschitz", "in", (10.0, 20.0, 80.0))]
    path = tmp_path / "some.parquet"
    parquet.write_table(parquet.read_table(published(FRONTIER), filters=some), path)
    [found] = frontiers(read_file(path))
    [before], [after] = found.lines, chosen_bounds(found).frontier.lines
    assert [cell.lipschitz for cell in after.cells] == [10.0, 20.0, 20.0]
    assert [cell.interval.mean for cell in after.cells] == [before.cells[k].interval.mean for k in (0, 1, 1)]
    assert after.cells[2].interval.mean < before.cells[2].interval.mean
