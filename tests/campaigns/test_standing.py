"""How far a campaign is: every run is in one state, and the time that is left is that of the runs of this machine."""

import shutil
from dataclasses import replace

import pytest

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import sweep
from normbench.campaigns.standing import State, standing
from normbench.records.store import Store
from normbench.running.request import Asked
from normbench.running.result import Outcome
from tests.changes import changed
from tests.this_process import without_workers

ASKED = Asked(task="quadrotor-sim", layers=(12, 4, 3), optimiser="", backend="", seed=0, iterations=2)
SECONDS = {"seconds_train": 3.0, "seconds_compile": 0.5, "seconds_evaluate": 0.25, "seconds_transfer": float("nan")}


def plan_of(*optimisers, seeds=range(4), **more):
    return sweep(ASKED, optimisers=optimisers, backends=["reference"], seeds=seeds, **more)


@pytest.fixture
def campaign(tmp_path):
    return Campaign(Store(tmp_path / "records"), workers=Workers(2))


def make(campaign, plan):
    """Make the runs of a plan; each is said to have taken 3.75 s."""
    with pytest.MonkeyPatch.context() as patch:
        without_workers(patch)
        for record in campaign.run(plan):
            campaign.store.write(changed(record, **SECONDS))
    return plan


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("four") / "records")
    return make(Campaign(store), plan_of("agd")), store


@pytest.fixture
def made(four, campaign):
    """Four runs that are done."""
    plan, store = four
    shutil.copytree(store.directory, campaign.store.directory)
    return plan


def fresh(campaign):
    return Campaign(campaign.store, workers=campaign.workers, keep_networks=campaign.keep_networks)


def test_every_run_is_in_one_state(campaign, made):
    done, gone, failed, again = made.requests
    campaign.store.path(campaign.record_id(gone)).unlink()
    for request in (failed, again):
        record = campaign.find(request)
        lost = Outcome.failed("out of memory", unit="N", predictors=record.outcome.predictors)
        campaign.store.write(replace(record, outcome=lost))
    more = plan_of("method1", seeds=[0]).requests[0]
    running = {campaign.record_id(request) for request in (again, more)}
    found = standing(made + plan_of("method1", seeds=[0]), fresh(campaign), running=running)
    expected = [State.DONE, State.MISSING, State.FAILED, State.RUNNING, State.RUNNING]
    assert found.states == dict(zip((done, gone, failed, again, more), expected, strict=True))
    assert [(record.request, record.outcome.reason) for record in found.failures] == [(failed, "out of memory")]
    assert not found.is_complete
    assert standing(made, fresh(campaign)).states[again] is State.FAILED


def test_what_is_done_is_done_whoever_claims_it(campaign, made):
    found = standing(made, fresh(campaign), running={campaign.record_id(run) for run in made.requests})
    assert set(found.states.values()) == {State.DONE}
    assert (found.is_complete, found.seconds, found.timed) == (True, 0.0, 4)


def test_nothing_is_made_or_written(campaign, tmp_path):
    found = standing(plan_of("agd"), campaign)
    assert (set(found.states.values()), found.seconds) == ({State.MISSING}, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_the_time_is_that_of_what_was_made_here(campaign, made, jobs):
    """By cost; no shorter than the longest run that is left."""
    left = sweep(replace(ASKED, iterations=4000), optimisers=["agd"], backends=["reference"], seeds=range(3))
    campaign.workers = Workers(jobs)
    found = standing(made + left, fresh(campaign))
    longest = 3.75 * estimated_cost(left.requests[0]) / estimated_cost(made.requests[0])
    assert longest > 5
    assert found.seconds == pytest.approx(max(3 * longest / jobs, longest))
    assert found.timed == 4
    elsewhere = left + sweep(ASKED, optimisers=["agd"], backends=["torch"], seeds=[0])
    ratio = estimated_cost(elsewhere.requests[-1]) / estimated_cost(made.requests[0])
    both = standing(made + elsewhere, fresh(campaign)).seconds
    assert both == pytest.approx(max((3 * longest + 3.75 * ratio) / jobs, longest))  # a backend that made none


@pytest.mark.parametrize("other", ["cpu", "numpy", "threads"])
def test_another_machine_tells_no_time(campaign, made, other):
    for request in made.requests:
        record = campaign.find(request)
        environment = record.provenance.environment
        said = {"threads": 99} if other == "threads" else {"environment": environment | {other: "another"}}
        campaign.store.write(changed(record, **said))
    campaign.store.path(campaign.record_id(made.requests[0])).unlink()
    found = standing(made, fresh(campaign))
    assert (found.seconds, found.timed) == (None, 0)


def test_a_search_that_waits_is_open_and_its_choice_is_in_the_time(campaign):
    plan = plan_of("sgd", tuning_budget=3)
    before = standing(plan, campaign)
    assert (before.searches, before.open_searches) == (1, 1)
    assert len(before.states) == 4 + 3  # at the default, and the trials of one value
    make(campaign, plan)
    after = standing(plan, fresh(campaign))
    assert (after.open_searches, after.is_complete) == (0, True)
    assert {*before.states} < {*after.states}
    trial = plan.searches[0].trial
    [trial] = [run for run in after.states if run.seed == trial.seed]
    campaign.store.path(campaign.record_id(trial)).unlink()
    again = standing(plan, fresh(campaign))
    assert (again.open_searches, again.is_complete) == (1, False)
    assert again.seconds == pytest.approx(
        (1 + 4) * 3.75 / campaign.workers.jobs
    )  # the trial, and four runs at the choice


def test_a_run_lacks_its_network_where_that_is_to_be_kept(campaign, made):
    campaign.keep_networks = True
    assert set(standing(made, fresh(campaign)).states.values()) == {State.MISSING}
