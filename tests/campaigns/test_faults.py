"""Nothing that ended is lost, and nothing is made twice: kills at random, two clients on one folder, a full disk."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from normbench.campaigns import campaign as campaign_module
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.job import RunJob
from normbench.campaigns.plan import sweep
from normbench.errors import OutputError, WorkerError
from normbench.records.claims import Claims
from normbench.records.store import Store
from normbench.running.request import Asked
from tests.changes import changed
from tests.without_times import without_times

ASKED = Asked(task="quadrotor-sim", layers=(12, 4, 3), optimiser="", backend="", seed=0, iterations=3)


def plan_of(*optimisers, seeds=1):
    return sweep(ASKED, optimisers=optimisers, backends=["reference"], seeds=range(seeds))


def found(records):
    return sorted(map(without_times, records))


def workers_of(parent):
    """Processes of this machine that dask has started for us and that do runs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            if ours and "spawn_main" in (process / "cmdline").read_text():
                found.append(int(process.name))
    return found


def on_disk(store):
    return {path.name: path.stat().st_mtime_ns for path in store.directory.glob("*.json")}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the process table from /proc")
def test_random_kills_lose_the_runs_in_flight_alone_and_the_records_are_those_of_an_undisturbed_campaign(
    tmp_path, request
):
    plan, store, draw, kills = plan_of("agd", "method1", seeds=8), Store(tmp_path / "disturbed"), random.Random(0), []

    def kill(tally):
        if tally.record is not None and len(kills) < 3:
            time.sleep(draw.uniform(0.0, 0.05))
            kills.append(draw.choice(workers_of(os.getpid())))
            os.kill(kills[-1], signal.SIGKILL)

    Campaign(store, workers=Workers(2), on_progress=kill).run(plan)
    done = {store.path(record.record_id).name for record in store.load_all()[0] if record.outcome.status == "done"}
    before = {name: time for name, time in on_disk(store).items() if name in done}
    assert len(kills) == 3
    assert len(on_disk(store)) == 16
    request.getfixturevalue("in_this_process")
    again = Campaign(store).run(plan)
    assert before.items() <= on_disk(store).items()
    assert found(again) == found(Campaign(Store(tmp_path / "undisturbed")).run(plan))


@pytest.mark.usefixtures("in_this_process")
def test_two_clients_on_one_folder_make_every_run_once(tmp_path):
    """Each waits for what the other has, and both end with all records."""
    plan, store = plan_of("agd", "method1", "method2", seeds=4), Store(tmp_path)
    made, ended, told = [], [], []

    def client(name):
        campaign = Campaign(store, on_remark=told.append)
        campaign.on_progress = lambda tally: made.append((name, tally.record.record_id)) if tally.record else None
        ended.append(found(campaign.run(plan)))

    clients = [threading.Thread(target=client, args=(name,)) for name in "ab"]
    for each in clients:
        each.start()
    for each in clients:
        each.join(120)
    assert sorted(record for _, record in made) == sorted(path.stem for path in store.files())
    assert len(made) == 12
    assert ended[0] == ended[1]
    assert not list(store.directory.glob(".*"))


def test_a_run_of_another_client_is_waited_for_and_said_and_taken_over_when_that_has_gone(
    tmp_path, in_this_process, monkeypatch
):
    monkeypatch.setattr(campaign_module, "_POLL_SECONDS", 0.01)
    plan, store, told = plan_of("agd", seeds=2), Store(tmp_path), []
    with Claims(store) as other:

        def release(remark):
            told.append(remark)
            other.release(record_id)

        campaign = Campaign(store, on_remark=release)
        record_id = campaign.record_id(plan.requests[0])
        assert other.take(record_id)
        records = campaign.run(plan)
    assert [record.outcome.status for record in records] == ["done", "done"]
    assert len(told) == 1
    assert f"process {os.getpid()} on" in told[0]


@pytest.mark.usefixtures("in_this_process")
def test_what_another_has_made_since_is_not_made_again(tmp_path):
    plan, store = plan_of("agd", seeds=3), Store(tmp_path)
    tallies = []

    def other(tally):
        tallies.append(tally)
        if tally.record is not None and len(tallies) == 2:
            made.extend(Campaign(Store(tmp_path)).run(plan))

    made = []
    Campaign(store, on_progress=other).run(plan)
    assert len(made) == 3
    assert [tally.runs_done for tally in tallies if tally.record] == [1]


@pytest.mark.usefixtures("in_this_process")
def test_a_disk_that_is_full_where_a_record_is_written_ends_the_campaign_with_the_run_that_it_costs(
    tmp_path, monkeypatch
):
    plan, store = plan_of("agd", seeds=3), Store(tmp_path)
    written = Store.write

    def full(self, record):
        if record.request.seed == 1:
            raise OutputError("the disk is full.")
        return written(self, record)

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(OutputError, match=r"The result of agd reference seed 1 .* is lost"):
        Campaign(store).run(plan)
    monkeypatch.undo()
    assert not list(store.directory.glob(".*"))
    assert all(record.outcome.status == "done" for record in store.load_all()[0])


@pytest.mark.usefixtures("in_this_process")
def test_the_result_of_a_worker_with_other_code_is_refused(tmp_path, monkeypatch):
    plan = plan_of("agd")
    called = RunJob.__call__

    def elsewhere(job):
        made = called(job)
        return made._replace(record=changed(made.record, code_version="0.0.1+other"))

    monkeypatch.setattr(RunJob, "__call__", elsewhere)
    with pytest.raises(WorkerError, match=r"another normbench, 0\.0\.1\+other for agd reference seed 0"):
        Campaign(Store(tmp_path)).run(plan)
    assert Store(tmp_path).load_all() == ([], [])
