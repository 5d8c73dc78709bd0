"""A campaign in parts: together they make it, none makes what another does, and merged they are it."""

import math
from dataclasses import replace

import pytest

from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.plan import Plan, bound_trials, sweep
from normbench.campaigns.shards import Shard
from normbench.data.splits import TEST
from normbench.errors import InvalidArgumentError
from normbench.records.store import RECORDS, Store
from normbench.running.request import Asked
from tests.cli.calls import call
from tests.without_times import networks_in, numbers_in

ASKED = Asked(task="digits", layers=(64, 4, 10), optimiser="", backend="", seed=0, iterations=2)
SMALL = ["--task", "digits", "--layers", "64,4,10", "--iterations", "2", "--backend", "torch", "--tuning-budget", "3"]


@pytest.fixture(scope="module")
def plan():
    """Searches of one and of two hyperparameters, what is not searched, a value that is given, and trials of bounds."""
    found = Plan(())
    for bound in (10.0, 40.0):
        asked = replace(ASKED, lipschitz=bound)
        given = {"adam": {"learning_rate": 0.02}}
        common = {"backends": ("torch", "reference"), "seeds": range(3), "given": given}
        found += sweep(asked, optimisers=("adam", "geodesic_lbfgs"), tune=2, **common)
        found += sweep(asked, optimisers=("sgd",), **common)
    return found + bound_trials(found)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 50])
def test_parts_make_the_plan_and_each_run_once(plan, total):
    parts = [Shard(number, total).of(plan) for number in range(1, total + 1)]
    for of in (lambda found: found.requests, lambda found: found.searches, lambda found: found.given):
        made = [each for part in parts for each in of(part)]
        assert len(made) == len(set(made))
        assert set(made) == set(of(plan))
        assert all([each for each in of(plan) if each in of(part)] == list(of(part)) for part in parts)
    for part in parts:
        assert all(set(search.targets) <= set(part.requests) for search in part.searches)
        assert set(part.given) <= set(part.requests)


def test_parts_of_a_campaign_of_several_tables_make_no_run_twice():
    """Searches that share trials or targets stay together, and so do runs at values that one of them may choose."""
    found, common = Plan(()), {"backends": ("torch",), "optimisers": ("adam",)}
    for bound in (10.0, 40.0):
        asked = replace(ASKED, lipschitz=bound)
        for tune, seeds, budget in ((1, range(3), None), (2, range(3), None), (1, range(3), 3), (1, range(4, 6), None)):
            found += sweep(asked, tune=tune, seeds=seeds, tuning_budget=budget, **common)
        found += sweep(asked, tune=0, seeds=range(2), given={"adam": {"learning_rate": 0.1}}, **common)
        found += sweep(asked, tune=0, seeds=range(3), optimisers=("geodesic_lbfgs",), backends=("torch",))
    plan = found.without_repeats()
    parts = [Shard(number, 4).of(plan) for number in range(1, 5)]
    may_make = [set(part.requests) for part in parts]
    for part, runs in zip(parts, may_make, strict=True):
        for search in part.searches:
            first = getattr(search, "first", search)
            values = (*first.grid, *first.values(lambda run: None))
            runs.update(run for value in values for run in (*first.trials(value), *first.at(value)))
    assert sum(map(len, may_make)) == len(set.union(*may_make))
    assert {search for part in parts for search in part.searches} == set(plan.searches)
    assert sum(len(part.searches) for part in parts) == len(plan.searches) == 8
    assert sum(map(bool, may_make)) == 4


def test_the_dearest_go_to_the_part_that_has_least(plan):
    """No part has more than its share by more than the dearest piece."""

    def cost(part):
        trials = sum(search.most_trials * estimated_cost(search.targets[0]) for search in part.searches)
        return trials + sum(map(estimated_cost, part.requests))

    for total in (2, 3):
        parts = [cost(Shard(number, total).of(plan)) for number in range(1, total + 1)]
        assert math.isclose(sum(parts), cost(plan))
        dearest = max(cost(Plan(search.targets, (search,))) for search in plan.searches)
        assert max(parts) - min(parts) <= 1.2 * dearest


def test_more_parts_than_there_are_pieces_leave_some_without_any(plan):
    many = 10**9
    assert Shard(1, many).of(plan).requests
    assert Shard(many, many).of(plan) == Plan(())


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/2", "-1/2", "1/2/3", "", f"1/{10**9}", 2])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(InvalidArgumentError, match=r"shard takes I/N, part I of N counted from 1; got"):
        Shard.read(text)


def test_parts_that_are_merged_are_the_campaign(tmp_path, in_this_process):
    named = ["--optimiser", "adam", "--optimiser", "polar_average", "--seeds", "4..5", "--keep-networks"]
    command = ["run", *SMALL, "--lipschitz", "10", *named, "--format", "json"]
    whole = call(*command, "--out", tmp_path / "whole")
    assert whole.exit_code == 0
    for part in ("1", "2"):
        made = call(*command, "--shard", f"{part}/2", "--out", tmp_path / part)
        assert made.exit_code == 0
    merged = call("records", "merge", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "all")
    assert merged.exit_code == 0
    assert numbers_in(tmp_path / "all") == numbers_in(tmp_path / "whole")
    assert not set(numbers_in(tmp_path / "1")) & set(numbers_in(tmp_path / "2"))
    assert networks_in(tmp_path / "all") == networks_in(tmp_path / "whole")
    records = Store(tmp_path / "all" / RECORDS).load_all()[0]
    assert {record.request.seed for record in records if record.request.judged_on == TEST} == {4, 5}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "all").rglob("*.json")}
    assert call(*command, "--out", tmp_path / "all").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "all").rglob("*.json")} == before
