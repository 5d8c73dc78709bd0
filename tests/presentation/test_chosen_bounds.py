"""Where trials chose among the bounds, tables, files, page and commands say so; where there are none, nothing does."""

import csv
import io
import re
import shlex

import pytest
from rich.console import Console

from normbench.analysis.chosen_bounds import chosen_bounds
from normbench.analysis.frontier import frontiers
from normbench.presentation import frontier_files, frontier_tables
from normbench.presentation.chosen_bounds import TITLE
from normbench.presentation.frontier_commands import OPTION, commands
from normbench.presentation.page.frontiers import shelves
from tests.analysis.conftest import BOUNDS

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def runs(level):
    """Two ways, of which the trials of one are best at the smallest bound, and another without trials."""
    trials = {"seeds": range(1000, 1003), "judged_on": "validation"}
    return [
        *level("geodesic_lbfgs", 1.0),
        *level("geodesic_lbfgs", 0.8, bounds=(5.0,), **trials),
        *level("geodesic_lbfgs", 0.9, bounds=(20.0, 80.0), **trials),
        *level("adam", 1.1, learning_rate=0.1, tuning_runs=15),
        *level("adam", 1.1, learning_rate=0.1, bounds=(5.0, 20.0), **trials),
        *level("adam", 1.0, learning_rate=0.1, bounds=(80.0,), **trials),
        *level("lbfgs", 1.2),
    ]


@pytest.fixture(scope="module")
def found(runs):
    return frontiers(runs)


def test_the_second_table_has_the_bounds_the_price_and_who_is_left_out(found):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(frontier_tables.terminal(found, [], width=200))
    for text in (console.export_text(), frontier_tables.markdown(found, [])):
        before, _, after = text.partition(f"{TITLE} (SIMULATED data)")
        assert re.search(
            r"geodesic_lbfgs sandwich\W+torch\W+▼1\.111 \(5\)\W+▼1\.111 \(5\)\W+▼1\.111 \(5\).* 9\b", after
        )
        assert re.search(r"adam spectral\W+torch\W+1\.210 \(5\).*1\.210 \(5\).*1\.210 \(80\).* 45\b", after)
        assert "at all their bounds (--choose-bound makes them): lbfgs spectral (torch)." in " ".join(after.split())
        assert re.search(r"geodesic_lbfgs sandwich\W+torch\W+none\W+▼1\.111\W+▼1\.111\W+▼1\.111", before)  # as it was


def test_files_have_a_row_for_each_cell_with_the_bound_that_was_chosen(found):
    rows = [row for row in csv.DictReader(io.StringIO(frontier_files.csv(found))) if row["role"] == "bound chosen"]
    adam = [row for row in rows if row["way"] == "adam spectral"]
    figures = [(float(row["lipschitz"]), float(row["lipschitz_chosen"]), float(row["trial_runs"])) for row in adam]
    assert figures == [(5.0, 5.0, 45), (20.0, 5.0, 45), (80.0, 80.0, 45)]
    assert len(rows) == 2 * len(BOUNDS)


def test_the_page_has_the_table_beneath_that_of_the_frontier(found):
    [shelf] = shelves(found, {})
    first, second, *_ = shelf.tables
    assert TITLE not in first.caption
    assert second.caption.startswith(TITLE)
    assert "SIMULATED data" in second.caption
    said = [column.words(second.rows[1]).partition(")")[0] for column in second.columns]
    assert said[3:] == ["1.210 (5", "1.210 (5", "1.210 (80", "45", "torch"]


def test_without_trials_at_all_bounds_nothing_is_said(runs):
    some = frontiers(run for run in runs if run.request.seed < 1000)
    assert TITLE not in frontier_tables.markdown(some, [])
    assert "lipschitz_chosen" not in frontier_files.csv(some)
    assert chosen_bounds(some[0]) is None


def test_the_command_makes_the_trials_of_a_way_that_has_no_search(found, runs, level):
    def said(frontier):
        chosen = chosen_bounds(frontier)
        return {line.way.first.request.optimiser: commands(frontier, line, chosen) for line in frontier.lines}

    of = said(found[0])
    assert [len(of[name]) for name in ("geodesic_lbfgs", "adam", "lbfgs")] == [1, 1, 1]
    assert [OPTION in of[name][0] for name in ("geodesic_lbfgs", "adam", "lbfgs")] == [True, False, False]
    [more] = frontiers([*runs, *level("geodesic_lbfgs", 1.0, bounds=(20.0,), seeds=range(3, 40))])
    first, second = map(shlex.split, said(more)["geodesic_lbfgs"])
    assert (first.count("--lipschitz"), first.count(OPTION), first[first.index("--seeds") + 1]) == (3, 1, "3")
    assert (second.count("--lipschitz"), second.count(OPTION), second[second.index("--seeds") + 1]) == (1, 0, "40")
