"""Performance profiles are those of Dolan and More, count failures as failures and can charge for tuning."""

import math

import pandas as pd
import pytest

from normbench.errors import InvalidArgumentError
from normbench.presentation.profiles import charged, performance_profile, problem_costs, tuning_runs
from normbench.records.schema import Curves

pytestmark = pytest.mark.quick

INF = math.inf


def table(**columns):
    return pd.DataFrame(columns, dtype=float)


def falling(iterations, **changes):
    """A run whose RMS falls from 2 to 1 in a straight line over so many iterations, as changes to a record."""
    rms = [2 - k / iterations for k in range(iterations + 1)]
    curves = Curves(
        loss=tuple(r**2 for r in rms),
        loss_evaluations=tuple(range(2, iterations + 3)),
        gradient_evaluations=tuple(range(1, iterations + 2)),
    )
    return {"curves": curves, "train_loss": 1.0, "train_rms": 1.0, "iterations_done": iterations} | changes


def test_a_profile_of_three_problems_by_hand():
    profile = performance_profile(table(a=[1, 4, INF], b=[2, 2, 3]), [1, 2, 4])
    assert profile["a"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert profile["b"].tolist() == pytest.approx([2 / 3, 1, 1])
    assert profile.index.tolist() == [1, 2, 4]


def test_a_problem_that_nobody_solves_counts_for_nobody():
    assert performance_profile(table(a=[1, INF], b=[1, INF]), [1, 1e9])["a"].tolist() == [0.5, 0.5]


def test_a_problem_that_costs_nothing_is_solved_by_those_that_paid_nothing():
    profile = performance_profile(table(a=[0.0], b=[1.0]), [1, 100])
    assert (profile["a"].tolist(), profile["b"].tolist()) == ([1, 1], [0, 0])


def test_a_run_that_was_not_made_is_no_failure():
    profile = performance_profile(table(a=[1, 1], b=[2, math.nan]), [1, 2])
    assert profile["b"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("costs", "taus", "message"),
    [
        (table(a=[1, math.nan], b=[math.nan, 1]), [1], "every solver"),
        (table(a=[1.0]), [0.5], "at least 1"),
        (table(a=[-1.0]), [1], "negative"),
    ],
)
def test_what_makes_no_profile_is_refused(costs, taus, message):
    with pytest.raises(InvalidArgumentError, match=message):
        performance_profile(costs, taus)


def test_problems_and_solvers_come_from_the_records(make):
    records = [
        make(seed=0, **falling(10)),
        make(seed=1, **falling(20)),
        make("adam", 1e-3, seed=0, backend="jax", **falling(40)),
        make("adam", 1e-2, seed=0, backend="jax", tuning_runs=5, **falling(4)),
        make("adam", 1e-1, seed=0, backend="jax", **falling(1)),  # of the search only
        make(seed=0, task="neural-fly", **falling(2)),
    ]
    costs = problem_costs(records, 1.5, cost="iterations")
    network = "12-25-30-15-3"
    assert costs.columns.tolist() == ["adam, best of 5 (jax)", "adam, default (jax)", "method1 (torch)"]
    assert costs.loc[("quadrotor-sim", "random", network, 0)].tolist() == [2, 20, 5]
    assert costs.loc[("quadrotor-sim", "random", network, 1), "method1 (torch)"] == 10
    assert math.isnan(costs.loc[("quadrotor-sim", "random", network, 1), "adam, default (jax)"])
    assert problem_costs(records, 0.9, cost="iterations").max().max() == INF


@pytest.mark.parametrize(
    ("cost", "expected"), [("iterations", 5), ("loss_evaluations", 7), ("gradient_evaluations", 6)]
)
def test_every_cost_is_counted(make, cost, expected):
    [[value]] = problem_costs([make(**falling(10))], 1.5, cost=cost).to_numpy()
    assert value == pytest.approx(expected)


def test_each_task_may_have_its_own_target(make):
    records = [make(**falling(10)), make(task="neural-fly", **falling(10))]
    costs = problem_costs(records, {"quadrotor-sim": 1.5, "neural-fly": 1.2}, cost="iterations")
    assert costs["method1 (torch)"].tolist() == pytest.approx([8, 5])
    with pytest.raises(InvalidArgumentError, match="neural-fly"):
        problem_costs(records, {"quadrotor-sim": 1.5}, cost="iterations")


def test_an_unknown_cost_and_no_record_are_refused(make):
    with pytest.raises(InvalidArgumentError, match="Did you mean 'seconds'"):
        problem_costs([make()], 1.0, cost="second")
    with pytest.raises(InvalidArgumentError, match="no record"):
        problem_costs([], 1.0, cost="seconds")


def test_the_longest_of_several_budgets_counts(make):
    records = [make(iterations=400, **falling(40)), make(iterations=200, **falling(10))]
    assert problem_costs(records, 1.5, cost="iterations").to_numpy().tolist() == [[20]]


def test_charging_for_tuning_turns_the_order(make):
    best = {"learning_rate": 1e-2, "tuning_runs": 5}
    records = [make(**falling(20)), make("adam", **best, **falling(10)), make("adam", **falling(12))]
    costs, tuning = problem_costs(records, 1.5, cost="iterations"), tuning_runs(records)
    assert tuning == {"method1 (torch)": 0, "adam, best of 5 (torch)": 5, "adam, default (torch)": 0}
    assert charged(costs, tuning).to_numpy().tolist() == [[6 * 5, 6, 10]]
    assert performance_profile(costs, [1]).iloc[0].to_dict()["adam, best of 5 (torch)"] == 1
    assert performance_profile(charged(costs, tuning), [1]).iloc[0].to_dict()["adam, best of 5 (torch)"] == 0


def test_a_default_that_is_the_best_is_charged_as_best_only(make):
    records = [make("adam", 1e-3, tuning_runs=5, **falling(10))]
    tuning = tuning_runs(records)
    assert tuning == {"adam, default (torch)": 0, "adam, best of 5 (torch)": 5}
    paid = charged(problem_costs(records, 1.5, cost="iterations"), tuning)
    assert paid.iloc[0].to_dict() == {"adam, best of 5 (torch)": 30, "adam, default (torch)": 5}


def test_a_solver_without_a_price_is_refused():
    with pytest.raises(InvalidArgumentError, match="b"):
        charged(table(a=[1.0], b=[1.0]), {"a": 0})
