"""Campaigns make what is missing once, survive failures of single runs, and tune without looking at the test error."""

import math
from dataclasses import replace

import pytest

from normbench import machine
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import Plan, sweep
from normbench.errors import BackendUnavailableError
from normbench.records.store import Store
from normbench.running.request import Asked

ASKED = Asked(task="quadrotor-sim", layers=(12, 4, 3), optimiser="", backend="", seed=0, iterations=3)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def tiny(optimiser, seeds=(0,), backends=("reference",), iterations=3):
    return sweep(replace(ASKED, iterations=iterations), optimisers=[optimiser], backends=backends, seeds=seeds)


def times(store):
    return {path.name: path.stat().st_mtime_ns for path in store.directory.glob("*.json")}


@pytest.mark.quick
@pytest.mark.usefixtures("in_this_process")
def test_running_again_computes_nothing(store):
    plan = tiny("method1", range(3))
    tallies = []
    first = Campaign(store, workers=Workers(2), on_progress=tallies.append).run(plan)
    before = times(store)
    again = Campaign(store, workers=Workers(2), on_progress=tallies.append).run(plan)

    assert [r.request.seed for r in first] == [0, 1, 2]
    assert again == first
    assert times(store) == before
    assert [t.runs_done for t in tallies[:4]] == [0, 1, 2, 3]
    assert tallies[-1].runs_total == 0


@pytest.mark.usefixtures("in_this_process")
def test_a_request_asked_twice_runs_once(store):
    plan = tiny("agd")
    assert len(Campaign(store, workers=Workers(1)).run(plan + plan)) == 1


@pytest.mark.usefixtures("in_this_process")
def test_runs_over_devices_are_fewer_at_a_time_and_stand_apart(store, monkeypatch):
    """By the run of a campaign that is spread over most; each record says how many ran beside it."""
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    several = sweep(replace(ASKED, devices=3), optimisers=["agd"], backends=["torch"], seeds=[0])
    found = Campaign(store).run(tiny("agd", backends=["torch"]) + several)
    assert [run.request.devices for run in found] == [1, 3]
    assert {run.provenance.environment["jobs"] for run in found} == {"2"}
    assert found[1].outcome.train_loss == pytest.approx(found[0].outcome.train_loss, rel=1e-5)
    assert found[1].record_id != found[0].record_id


@pytest.mark.usefixtures("in_this_process")
def test_a_failing_run_is_recorded_with_its_reason_retried_and_stops_nothing(store):
    good = tiny("agd")
    bad = replace(good.requests[0], hyperparameters={"no_such": 1.0}, optimiser="adam")  # bypasses the checks
    plan = Plan((bad, *good.requests))
    failed, done = Campaign(store, workers=Workers(1)).run(plan)

    assert (failed.outcome.status, done.outcome.status) == ("failed", "done")
    assert "Error" in failed.outcome.reason
    assert math.isnan(failed.outcome.test_rms)
    assert failed.outcome.predictors

    before = times(store)
    Campaign(store, workers=Workers(1)).run(plan)
    written = {name for name, at in times(store).items() if at != before[name]}
    assert written == {f"{failed.record_id}.json"}


@pytest.mark.usefixtures("in_this_process")
def test_a_truncated_record_is_made_again(store):
    plan = tiny("agd")
    [made] = Campaign(store, workers=Workers(1)).run(plan)
    path = store.path(made.record_id)
    path.write_text(path.read_text()[:100])
    [again] = Campaign(store, workers=Workers(1)).run(plan)
    assert again.outcome.train_rms == made.outcome.train_rms


@pytest.mark.usefixtures("in_this_process")
def test_a_missing_device_stops_the_campaign_and_leaves_no_record(store):
    pytest.importorskip("torch")
    plan = tiny("sgd", backends=["torch"])
    cuda = Plan(tuple(replace(r, device="cuda") for r in plan.requests))
    if _has_cuda():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(BackendUnavailableError):
        Campaign(store, workers=Workers(1)).run(cuda)
    assert times(store) == {}


def _has_cuda():
    import torch

    return torch.cuda.is_available()


def test_long_runs_cost_more(record):
    short, long = (tiny("agd", iterations=n).requests[0] for n in (10, 1000))
    assert estimated_cost(long) > 5 * estimated_cost(short)
