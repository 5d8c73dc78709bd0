"""Performance profiles: those by which the page's are judged, by hand, and what each of its solvers is charged."""

import math

import pandas as pd
import pytest

from normbench.analysis.leaderboard import boards
from normbench.presentation.page.reaching import reaching_runs
from normbench.presentation.page.ways import sections
from tests.presentation.page.profiles import performance_profile

pytestmark = pytest.mark.quick

INF = math.inf


def table(**columns):
    return pd.DataFrame(columns, dtype=float)


def test_a_profile_of_three_problems_by_hand():
    profile = performance_profile(table(a=[1, 4, INF], b=[2, 2, 3]), [1, 2, 4])
    assert profile["a"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert profile["b"].tolist() == pytest.approx([2 / 3, 1, 1])
    assert profile.index.tolist() == [1, 2, 4]


def test_a_problem_that_nobody_solves_counts_for_nobody():
    assert performance_profile(table(a=[1, INF], b=[1, INF]), [1, 1e9])["a"].tolist() == [0.5, 0.5]


def entries(records):
    """What the page knows of every solver and run: solver -> seed -> entry."""
    found = {}
    for entry in reaching_runs(sections(boards(records)), [1.0]):
        found.setdefault(entry["way"], {})[entry["seed"]] = entry
    return found


def test_a_solver_is_charged_for_its_own_search_only(make):
    records = [make(), make("adam", 1e-2, tuning_runs=5), make("adam", 1e-3), make("adam", 1e-1)]
    charged = {way: runs[0]["tuning"] for way, runs in entries(records).items()}
    assert charged == {"method1": 0, "adam tuned": 5, "adam default": 0}


def test_a_default_that_is_the_best_is_charged_as_best_only(make):
    found = entries([make("adam", 1e-3, tuning_runs=5)])
    named = {way: (runs[0]["tuning"], runs[0]["best"], runs[0]["default"]) for way, runs in found.items()}
    assert named == {"adam tuned": (5, True, False), "adam default": (0, False, True)}


def test_a_run_that_was_not_made_is_no_failure(make):
    found = entries([make(seed=0), make(seed=1), make("agd", seed=0)])
    assert (found["method1"][0]["common"], found["method1"][1]["common"]) == (True, False)
