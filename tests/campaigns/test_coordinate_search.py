"""Two hyperparameters are searched one after the other, on the same seeds, and the price is that of both."""

import json
import math

import pytest
from click.testing import CliRunner

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import sweep
from normbench.campaigns.samples import Samples
from normbench.campaigns.search import Search
from normbench.cli.run import command
from normbench.errors import InvalidArgumentError
from normbench.records.record import UNTUNED, Tuned
from normbench.records.store import Store
from normbench.running.request import Asked
from tests.changes import changed

ASKED = Asked(task="digits", layers=(64, 10), optimiser="", backend="", seed=0, iterations=2)
RATES, MOMENTA = (1.0, 1e1, 1e2, 1e3, 1e4), (0.8, 0.9, 0.95, 0.98)  # of SGD with momentum


def planned(optimiser="sgd_momentum", backends=("reference",), tune=2, **options):
    return sweep(ASKED, optimisers=[optimiser], backends=backends, tune=tune, **{"seeds": (0, 1)} | options)


def searched(*arguments, **options):
    [search] = planned(*arguments, **options).searches
    return search


def distance(a, b):
    return abs(math.log10(a / b))


@pytest.fixture
def finds(record):
    """(best rate, best momentum) -> what finds trials whose error is smallest there, but those that are lost, and of
    the other runs those of which something is said."""

    def made(rate, momentum, lost=lambda values: False, said=()):
        def find(request):
            values = request.hyperparameters
            if request.judged_on == "test":
                tuned = dict(said).get(tuple(values.values()))
                return tuned and changed(record, **tuned._asdict())
            if lost(values):
                return None
            error = 1 + distance(values["learning_rate"], rate) + distance(1 - values["momentum"], 1 - momentum)
            return changed(record, test_rms=error, status="done")

        return find

    return made


@pytest.mark.quick
def test_the_second_is_searched_at_the_best_of_the_first_and_shared_trials_cost_once(finds):
    search = searched(backends=("torch", "reference"))
    find = finds(1e1, 0.95)
    first, second = search.stages(find)
    assert (first.state.tried, second.state.tried) == (RATES, MOMENTA)
    assert {run.hyperparameters["learning_rate"] for run in second.trials} == {1e1}
    assert {(run.backend, run.seed) for run in second.trials} == {(run.backend, run.seed) for run in first.trials}
    assert len([run for run in second.trials if run in first.trials]) == 3
    chosen = search.chosen(find)
    assert {tuple(run.hyperparameters.values()) for run in chosen} == {(1e1, 0.95)}
    assert len(chosen) == 4  # seeds times backends
    assert set(chosen.values()) == {Tuned(24, 1.0, 1e4, 9, 0.8, 0.98)}


@pytest.mark.quick
def test_while_the_first_has_no_best_there_is_no_second_and_then_nothing_is_chosen_without_it(finds):
    search = searched()
    [only] = search.stages(finds(1e1, 0.9, lost=lambda values: values["learning_rate"] == 1e3))
    assert only.state.waiting
    lost = finds(1e1, 0.9, lost=lambda values: values["momentum"] == 0.98)
    assert search.stages(lost)[-1].state.waiting
    assert search.chosen(lost) == {}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("best", "tried"),
    [(0.96, MOMENTA), (0.99, (*MOMENTA, 0.99, 0.996)), (0.6, (0.2, 0.6, *MOMENTA)), (0.0, (0.2, 0.6, *MOMENTA))],
)
def test_momenta_grow_by_their_distance_to_1_within_their_range(finds, best, tried):
    state = searched().stages(finds(1e1, best))[-1].state
    assert state.tried == pytest.approx(tried, rel=1e-12)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("budget", "rates", "momenta"),
    [
        (None, 9, 8),
        (300, 10, 12),
        (36, 9, 4),
        (24, 5, 4),
        (20, 3, 4),
        (12, 2, 3),
        (9, 2, 2),
        (6, 1, 2),
        (3, 1, 1),
    ],
)
def test_a_budget_is_that_of_both_searches_and_the_second_begins_at_its_default(finds, budget, rates, momenta):
    """Both would like to go further: the rates to 1e9, at which their range ends."""
    search = searched(tuning_budget=budget)
    find = finds(1e12, 0.9999)
    first, second = search.stages(find)
    runs = {(run.seed, *run.hyperparameters.values()) for stage in (first, second) for run in stage.trials}
    assert budget is None or len(runs) <= budget
    assert 0.9 in second.state.tried
    assert {tuned.tuning_runs for tuned in search.chosen(find).values()} == {len(runs)}
    assert (len(first.state.tried), len(second.state.tried)) == (rates, momenta)


@pytest.mark.quick
def test_a_choice_of_one_and_one_of_two_stand_side_by_side_and_on_the_same_run_that_of_two(finds):
    one, two = searched(tune=1), searched()
    alone, both = Tuned(15, 1.0, 1e4), Tuned(24, 1.0, 1e4, 9, 0.8, 0.98)

    def marked(search, *best, **found):
        return {tuple(run.hyperparameters.values()): mark for run, mark in search.marks(finds(*best, **found)).items()}

    same = {(1e1, 0.9): both}
    assert (1e1, 0.9) not in marked(one, 1e1, 0.9, said=same)
    assert marked(one, 1e1, 0.9, said={(1e1, 0.9): UNTUNED})[1e1, 0.9] == alone
    assert marked(two, 1e1, 0.9, said={(1e1, 0.9): alone}) == same
    earlier = {(1e1, 0.9): alone, (1e1, 0.8): both, (1e1, 0.95): UNTUNED}
    assert marked(two, 1e1, 0.95, said=earlier) == {
        (1e1, 0.95): both,
        (1e1, 0.8): Tuned(tuning_second_low=0.8, tuning_second_high=0.98),  # made for a choice that stands no more
    }


@pytest.mark.quick
def test_one_search_is_what_it_was_and_who_has_no_second_has_one_search():
    assert isinstance(searched(tune=1), Search)
    assert isinstance(searched("sgd"), Search)
    assert searched("sgd", tuning_budget=9) == searched("sgd", tuning_budget=9, tune=1)
    with pytest.raises(InvalidArgumentError, match="at least 3 runs"):
        planned(tuning_budget=2)


def marks(records):
    """What is said of every run on the test set that a search has chosen or made, by seed and values."""
    return {
        (record.request.seed, *record.request.hyperparameters.values()): record.provenance.tuned
        for record in records
        if record.request.judged_on == "test" and record.provenance.tuned != UNTUNED
    }


@pytest.mark.usefixtures("in_this_process")
def test_a_killed_campaign_comes_to_the_same_and_a_smaller_budget_takes_the_choice_back(tmp_path):
    def kill_after(runs):
        def on_progress(tally):
            if tally.runs_done == runs and tally.record is not None:
                raise KeyboardInterrupt

        return on_progress

    plan, samples = planned(seeds=(0,), tuning_budget=12), Samples()
    whole = Campaign(Store(tmp_path / "whole"), samples, workers=Workers(1))
    records = whole.run(plan)
    [both] = {*marks(records).values()}
    [values] = {key[1:] for key in marks(records)}
    assert both.of_two
    assert len([r for r in records if r.request.judged_on == "validation"]) == both.tuning_runs

    store = Store(tmp_path / "killed")
    for runs in (4, 6):  # in the first search, in the second
        with pytest.raises(KeyboardInterrupt):
            Campaign(store, samples, workers=Workers(1), on_progress=kill_after(runs)).run(plan)
    assert marks(Campaign(store, samples, workers=Workers(1)).run(plan)) == marks(records)
    tallies = []
    Campaign(store, samples, workers=Workers(1), on_progress=tallies.append).run(plan)
    assert tallies[-1].runs_total == 0

    def stored(**options):
        Campaign(store, samples, workers=Workers(1)).run(planned(seeds=(0,), **options))
        return {key[1:]: tuned for key, tuned in marks(store.load_all()[0]).items() if tuned.tuning_runs}

    assert stored(tune=1, tuning_budget=6)[values] == both
    fewer = stored(tuning_budget=3)  # 100 and 0.9
    assert fewer[1e2, 0.9] == Tuned(3, 1e2, 1e2, 0, 0.9, 0.9)
    assert {key for key, tuned in fewer.items() if tuned.of_two} == {(1e2, 0.9)}


@pytest.mark.usefixtures("in_this_process")
def test_the_command_searches_two_where_it_is_asked_to(tmp_path):
    words = "--task digits --optimiser sgd_momentum --backend reference --layers 64,10 --seeds 1 --iterations 1"
    more = f"--tuning-budget 6 --format json --out {tmp_path}"
    found = CliRunner().invoke(command, f"{words} {more} --tune two".split())
    assert found.exit_code == 0, found.output
    runs = [json.loads(line) for line in found.stdout.splitlines()]
    [best] = [run for run in runs if run["tuning_runs"]]
    assert (best["tuning_runs"], best["tuning_second_runs"]) == (6, 3)
    assert {run["hyperparameters"]["momentum"] for run in runs if run["judged_on"] == "validation"} == {0.9, 0.95}
