"""What judges bounds on a validation part: three trials a bound for what no search judges, made once."""

from dataclasses import replace

import pytest

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import Plan, bound_trials, sweep
from normbench.records.store import Store
from normbench.running.request import Asked

ASKED = Asked(task="digits", layers=(64, 4, 10), optimiser="", backend="", seed=0, iterations=2)
BOUNDS = (10.0, 40.0)


def planned(*optimisers, backends=("torch", "reference"), seeds=range(2), bounds=BOUNDS):
    plan = Plan(())
    for bound in bounds:
        asked = replace(ASKED, lipschitz=bound)
        plan += sweep(asked, optimisers=optimisers, backends=backends, seeds=seeds)
    return plan


@pytest.mark.quick
def test_three_trials_a_bound_on_seeds_that_judge_nothing_for_what_no_search_judges():
    plan = planned("geodesic_lbfgs", "adam", "method1")  # a search judges the second, the third is a sweep
    trials = bound_trials(plan).requests
    assert {(run.lipschitz, run.seed) for run in trials} == {(b, seed) for b in BOUNDS for seed in (1000, 1001, 1002)}
    assert {(run.optimiser, run.backend, run.judged_on) for run in trials} == {
        ("geodesic_lbfgs", "torch", "validation")
    }
    assert len(trials) == 3 * len(BOUNDS)
    more = planned("geodesic_lbfgs", seeds=range(5), backends=("reference", "torch"))
    assert bound_trials(more).requests == trials  # seeds that are added later make none of them again
    assert bound_trials(planned("geodesic_lbfgs", bounds=(None,))) == Plan(())


@pytest.mark.usefixtures("in_this_process")
def test_a_campaign_makes_them_once_and_keeps_none_of_their_networks(tmp_path):
    plan = planned("polar_average", backends=("reference",), seeds=[0])
    store, tallies = Store(tmp_path), []
    trials = bound_trials(plan)
    records = Campaign(store, workers=Workers(1), keep_networks=True).run(plan + trials)
    assert [record.request.judged_on for record in records] == ["test"] * 2 + ["validation"] * 6
    kept = {record.record_id for record in records if store.network_path(record.record_id).is_file()}
    assert kept == {record.record_id for record in records if record.request.judged_on == "test"}
    Campaign(store, workers=Workers(1), on_progress=tallies.append).run(plan + trials)
    assert tallies[-1].runs_total == 0
