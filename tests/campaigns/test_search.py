"""A search chooses by the mean validation error over seeds of its own, grows its grid, and goes on where it was."""

import math
from dataclasses import replace

import pytest

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import Plan, sweep
from normbench.campaigns.search import TUNING_SEEDS, State, tuning_seeds
from normbench.errors import InvalidArgumentError
from normbench.records.record import UNTUNED, Tuned
from normbench.records.store import Store
from normbench.running.request import Asked
from tests.changes import changed

ASKED = Asked(task="digits", layers=(64, 4, 10), optimiser="", backend="", seed=0, iterations=2)
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of Adam
BEYOND = (1e-5, *GRID, 1e1, 1e2, 1e3)


def planned(optimiser="adam", seeds=(0,), backends=("reference",), **options):
    return sweep(ASKED, optimisers=[optimiser], backends=backends, seeds=seeds, **options)


def searched(*arguments, **options):
    [search] = planned(*arguments, **options).searches
    return search


@pytest.fixture
def finds(record):
    """(search, validation RMS of a value on the k-th seed, changes) -> what finds the records of its trials."""

    def made(search, error, **changes):
        def find(request):
            value = request.hyperparameters[search.name]
            figure = error(value, search.seeds.index(request.seed))
            if figure is None:
                return None
            kinds = {"failed": "failed", "diverged": "diverged"}
            status = kinds.get(figure, "done")
            rms = math.nan if figure in kinds else figure
            return changed(record, **{"test_rms": rms, "train_rms": 1 / value, "status": status} | changes)

        return find

    return made


def around(best):
    """An error that is smallest at one value."""
    return lambda value, k: 1 + abs(math.log10(value / best))


@pytest.mark.quick
def test_no_judged_seed_chooses_and_later_seeds_change_no_trial():
    search, more = searched(seeds=range(3)), searched(seeds=range(40), backends=("torch", "reference", "jax"))
    assert search.seeds == more.seeds == (1000, 1001, 1002)
    assert {run.seed for run in search.trials(0.1)} == {1000, 1001, 1002}
    assert {run.judged_on for run in search.trials(0.1)} == {"validation"}
    assert {run.judged_on for run in search.at(0.1)} == {"test"}
    assert searched(seeds=range(3), backends=("torch", "jax")).trials(0.1) == more.trials(0.1)  # on the fastest
    assert tuning_seeds([*range(900, 1001), 1002]) == (1001, 1003, 1004)


@pytest.mark.quick
def test_the_mean_over_the_seeds_decides_and_nothing_else(finds):
    """One seed would have chosen 1e-3, the training error 1."""
    errors = {1e-3: (0.1, 1.0, 1.0), 1e-2: (0.5, 0.5, 0.5)}
    search = searched()
    state = search.state(finds(search, lambda value, k: errors.get(value, (1.0,) * 3)[k]))
    assert state == State(GRID, best=1e-2)
    assert search.tuned(state) == Tuned(15, 1e-4, 1.0)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("best", "budget", "tried"),
    [
        (1e-2, None, GRID),
        (1e1, None, BEYOND[1:8]),  # until the best one lies inside
        (1e-5, None, (1e-6, *BEYOND[:6])),
        (1e5, None, BEYOND[1:]),  # four values more, and 1e3 is the largest that there is
        (1e5, 18, BEYOND[1:7]),
        (1e5, 20, BEYOND[1:7]),  # two runs are no value
        (1e5, 15, GRID),
        (1e-9, 30, tuple(10.0**k for k in range(-9, 1))),
        (1e5, 10**9, BEYOND[1:]),
        (1e5, 14, GRID[:4]),
        (1e5, 11, GRID[1:4]),
        (1e5, 8, GRID[1:3]),  # of two values beside the middle that nearer the default
        (1e5, 3, GRID[2:3]),
    ],
)
def test_the_grid_grows_where_its_best_is_an_end_and_the_budget_lasts(finds, best, budget, tried):
    search = searched(tuning_budget=budget)
    state = search.state(finds(search, around(best)))
    assert state.tried == pytest.approx(tried, rel=1e-12)
    assert state.best == min(state.tried, key=lambda value: abs(math.log10(value / best)))
    assert search.tuned(state) == Tuned(3 * len(tried), state.tried[0], state.tried[-1])
    assert budget is None or search.tuned(state).tuning_runs <= budget


@pytest.mark.quick
def test_a_grid_of_threes_and_tens_goes_on_as_one(finds):
    search = searched("fromage", tuning_budget=3 * 9)
    assert search.grid == (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    assert search.state(finds(search, around(1e-9))).tried[:4] == (1e-5, 3e-5, 1e-4, 3e-4)


@pytest.mark.quick
@pytest.mark.parametrize("budget", [2, 0, -1])
def test_a_budget_too_small_for_one_value_is_refused(budget):
    with pytest.raises(InvalidArgumentError, match=f"at least 3 runs.*got {budget}. Give 3 or more"):
        planned("method1", tuning_budget=budget)  # which has nothing to tune


@pytest.mark.quick
def test_what_diverged_loses_and_what_failed_or_is_missing_leaves_the_choice_open(finds):
    best, search = around(1e-2), searched()

    def state(lost, what, others=best):
        return search.state(finds(search, lambda v, k: what if (v, k) in lost else others(v, k)))

    assert state([(1e-2, 2)], "diverged").best == 1e-3
    for what in ("failed", None):
        assert state([(1.0, 1)], what) == State(GRID, waiting=True)
    assert state([], "", lambda value, k: "diverged") == State(GRID)
    assert state([], "", lambda value, k: math.nan) == State(GRID)


def marks(records):
    return {
        (r.request.seed, r.request.hyperparameters["learning_rate"]): r.provenance.tuned
        for r in records
        if r.request.judged_on == "test"
    }


@pytest.mark.usefixtures("in_this_process")
def test_a_campaign_runs_the_value_of_its_search_and_a_killed_one_comes_to_the_same(tmp_path):
    """SGD is better the larger its rate up to 10, at which the grid of the test ends; it then grows to 100."""
    seeds = (0, 1)
    [search] = planned("sgd", seeds).searches
    search = replace(search, grid=(0.1, 1.0, 10.0))
    plan = Plan(planned("sgd", seeds).requests, (search,))
    kept = Campaign(Store(tmp_path / "whole"), workers=Workers(1))
    records = kept.run(plan)
    state = search.state(kept.find)
    trials = [r for r in records if r.request.judged_on == "validation"]
    assert state.best is not None
    assert len(state.tried) > 3
    assert {r.request.seed for r in trials} == {1000, 1001, 1002}
    assert len(trials) == TUNING_SEEDS * len(state.tried)
    assert {r.provenance.tuning_runs for r in trials} == {0}
    assert marks(records) == {(s, 1e-3): UNTUNED for s in seeds} | {(s, state.best): search.tuned(state) for s in seeds}

    def kill_after(runs):
        def on_progress(tally):
            if tally.runs_done == runs and tally.record is not None:
                raise KeyboardInterrupt

        return on_progress

    store = Store(tmp_path / "killed")
    for runs in (6, 8):
        with pytest.raises(KeyboardInterrupt):
            Campaign(store, workers=Workers(1), on_progress=kill_after(runs)).run(plan)
    before = {path.name: path.stat().st_mtime_ns for path in store.files()}
    assert len(before) == 14
    again = Campaign(store, workers=Workers(1)).run(plan)
    assert marks(again) == marks(records)
    trained = {r.record_id: r for r in again}
    assert all(
        store.path(name).stat().st_mtime_ns == before[f"{name}.json"]
        for name, r in trained.items()
        if f"{name}.json" in before and r.request.judged_on == "validation"
    )

    # a later one with more seeds makes no trial, one with a smaller budget takes the marks of the other value back
    more = Plan((), (replace(search, targets=(*search.targets, replace(search.targets[0], seed=2))),))
    tallies = []
    assert len(marks(Campaign(store, workers=Workers(1), on_progress=tallies.append).run(more))) == 3
    assert tallies[-1].runs_done == 1
    fewer = Campaign(store, workers=Workers(1)).run(Plan(plan.requests, (replace(search, budget=3),)))
    assert marks(fewer)[0, 1.0] == Tuned(3, 1.0, 1.0)
    assert store.find(kept.find(search.at(state.best)[0]).record_id).provenance.tuning_runs == 0


@pytest.mark.usefixtures("in_this_process")
def test_trials_that_fail_get_a_second_chance_and_then_no_value_is_chosen_without_a_word(tmp_path):
    search = searched("sgd", tuning_budget=6)
    broken = replace(search.targets[0], hyperparameters=search.targets[0].hyperparameters | {"no_such": 1.0})
    search = replace(search, targets=(broken,))
    tallies, remarks = [], []
    campaign = Campaign(Store(tmp_path), workers=Workers(1), on_progress=tallies.append, on_remark=remarks.append)
    records = campaign.run(Plan((), (search,)))
    assert [record.outcome.status for record in records] == ["failed"] * 6
    assert (tallies[-1].runs_done, tallies[-1].runs_total) == (12, 12)
    assert remarks == ["No learning_rate is chosen for sgd on digits (reference), of 10, 100: a trial failed."]


def test_backends_are_searched_in_a_fixed_order_whatever_the_call_says():
    assert searched("sgd", backends=["jax", "torch"]).trial.backend == "jax"
