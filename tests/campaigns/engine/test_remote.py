"""Campaigns on a scheduler and workers that a user has started: equal records, no folder in common, and every fault."""

import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from normbench.analysis.selection import current
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine import engine as module
from normbench.campaigns.engine import shift
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import sweep
from normbench.campaigns.samples import Samples
from normbench.cli.own_tables import GivenTable
from normbench.errors import WorkerError
from normbench.records.store import RECORDS, Store
from normbench.running.request import Asked
from tests.campaigns.engine.jobs import Deadly, Full, Work
from tests.campaigns.engine.machines import Machines, until
from tests.cli.calls import COMMAND, call
from tests.pages import ROOT
from tests.server import files_in
from tests.this_process import without_workers
from tests.without_times import networks_in, numbers_in, without_times

TABLE = "v,q,fa\n" + "".join(f"{k % 7},{k % 5 + 1},{k % 3}\n" for k in range(40))


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The key of a user's table, which is small and which this machine's cache alone has."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "log.csv").write_text(TABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NORMBENCH_CACHE", str(folder / "cache"))
        yield GivenTable(folder / "log.csv", ("v", "q"), ("fa",), None, None, "N", classes=False, scaled=False).kept(
            print
        )


@pytest.fixture
def plan_of(task):
    def plan_of(*optimisers, seeds=(0,), backends=("reference",), iterations=3):
        asked = Asked(task=task, layers=(2, 4, 1), optimiser="", backend="", seed=0, iterations=iterations)
        return sweep(asked, optimisers=optimisers, backends=backends, seeds=seeds)

    return plan_of


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """A scheduler and two workers without nannies."""
    with Machines(tmp_path_factory.mktemp("machines")) as machines:
        for name in ("one", "two"):
            machines.start(name)
        yield machines


def campaign(folder, machines, said=None, **others):
    remarks = [] if said is None else said
    return Campaign(Store(folder), workers=Workers(scheduler=machines.file), on_remark=remarks.append, **others)


def test_records_are_those_of_one_process_and_workers_get_the_users_table_and_write_nothing_else(
    machines, plan_of, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    plan = plan_of("agd", "method1", seeds=range(2)) + plan_of("agd", backends=["torch"])
    said = []
    there = campaign(Path("there"), machines, said, keep_networks=True).run(plan)
    assert len(list(Path("there").glob("*.json"))) == len(there) == len(plan.requests)
    for name in machines.workers:
        assert {path.name for path in (machines.folder / name).iterdir()} <= {"cache", "dask", "log"}
        assert files_in(machines.folder / name / "cache") == [f"{plan.requests[0].task}.npz"]
    assert [line for line in said if "127.0.0.1" in line and line.startswith("What runs: http://")] == said
    without_workers(monkeypatch)
    here = Campaign(Store(Path("here")), workers=Workers(1), keep_networks=True).run(plan)
    assert list(map(without_times, there)) == list(map(without_times, here))
    assert networks_in(Path("there")) == networks_in(Path("here"))


def test_one_process_two_of_them_a_scheduler_and_parts_that_are_merged_make_the_same_records(machines, task, tmp_path):
    """Numbers bit for bit, networks and their certificates included: of a search, and of the automatic method."""
    command = [
        "run",
        "--task",
        task,
        "--layers",
        "2,4,1",
        "--iterations",
        "3",
        "--seeds",
        "2",
        "--backend",
        "reference",
    ]
    command += ["--optimiser", "adam", "--optimiser", "geodesic_lbfgs", "--tuning-budget", "3", "--lipschitz", "5"]
    ways = {
        "one": ["--jobs", "1"],
        "two": ["--jobs", "2"],
        "scheduler": ["--scheduler", machines.file],
        "part1": ["--scheduler", machines.file, "--shard", "1/2"],
        "part2": ["--scheduler", machines.file, "--shard", "2/2"],
    }
    for name, options in ways.items():
        made = call(*command, *options, "--keep-networks", "--out", tmp_path / name)
        assert made.exit_code == 0, made.output
    merged = call("records", "merge", tmp_path / "part1", tmp_path / "part2", "--out", tmp_path / "merged")
    assert merged.exit_code == 0, merged.output
    assert len(numbers_in(tmp_path / "one")) > len(networks_in(tmp_path / "one")) == 6
    for what_is_in in (numbers_in, networks_in):
        expected = what_is_in(tmp_path / "one")
        assert all(what_is_in(tmp_path / name) == expected for name in ("two", "scheduler", "merged"))


def test_the_run_of_a_worker_that_is_killed_goes_to_another(machines, tmp_path):
    outcomes = []
    with Engine(Workers(scheduler=machines.address)) as engine:
        engine.run([Deadly(0, folder=tmp_path), *(Work(n, seconds=0.1) for n in range(1, 4))], outcomes.append)
    assert sorted(outcome.value[0] for outcome in outcomes) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 2
    [killed] = [name for name, process in machines.workers.items() if process.poll() is not None]
    machines.end(killed)
    assert len(machines.workers) == 1


def test_a_client_that_is_killed_costs_what_was_in_flight_and_no_wait(machines, task, tmp_path):
    options = f"run --task {task} --optimiser agd --seeds 5 --layers 2,4,1 --iterations 100 --backend reference".split()
    arguments = [*options, "--scheduler", machines.file, "--out", str(tmp_path)]
    records = tmp_path / RECORDS
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        before = until(lambda: {path: path.stat().st_mtime_ns for path in records.glob("*.json")})
        client.send_signal(signal.SIGKILL)
    left = 5 - len(list(records.glob("*.json")))
    assert left > 0
    began = time.monotonic()
    again = call(*arguments)
    assert again.exit_code == 0, again.output
    assert time.monotonic() - began < 30.0
    found, problems = Store(records).load_all()
    assert (len(found), problems) == (5, [])
    assert before.items() <= {path: path.stat().st_mtime_ns for path in records.glob("*.json")}.items()


def test_a_job_waits_for_a_worker_with_a_gpu_and_says_so(machines, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    said, outcomes = [], []

    def say(text):
        said.append(text)
        if "with a GPU" in text:  # not where workers without one are late
            seen.append(len(engine.seats))
            machines.start("gpu", "--resources", "GPU=1")

    seen = []
    with Engine(Workers(scheduler=machines.file), say) as engine:
        engine.run([Work(0, gpus=1), Work(1)], outcomes.append)
    assert [outcome.job.number for outcome in outcomes] == [1, 0]
    assert outcomes[1].value[1] == machines.workers["gpu"].pid != outcomes[0].value[1]
    assert (
        f"none of the {seen[0]} of {machines.file} says that it has one. Start some: dask worker --scheduler-file"
        in said[-1]
    )
    assert said[-1].endswith("--resources GPU=1")
    machines.end("gpu")


def test_a_worker_whose_memory_is_nearly_full_ends_its_run_and_is_started_anew_for_the_next(machines, monkeypatch):
    """dask pauses it at 80 %."""
    monkeypatch.setattr(shift, "_FULL_SECONDS", 0.5)
    machines.start("small", "--memory-limit", "700MiB", "--resources", "GPU=1", nanny=True)
    outcomes = []
    with Engine(Workers(scheduler=machines.file)) as engine:
        engine.run([Full(0, gpus=1, seconds=2.0)], outcomes.append)
        engine.run([Work(1, gpus=1)], outcomes.append)
    assert [(outcome.died, outcome.value[0]) for outcome in outcomes] == [("", 0), ("", 1)]
    assert outcomes[0].value[1] != outcomes[1].value[1]
    machines.end("small")


def test_a_worker_with_other_versions_says_so_and_its_runs_are_not_in_one_row_with_others(machines, plan_of, tmp_path):
    usual = campaign(tmp_path, machines).run(plan_of("agd", seeds=[0, 1]))
    machines.end(*machines.workers)
    fake = tmp_path / "fake"
    (fake / "numpy-0.0.1.dist-info").mkdir(parents=True)
    (fake / "numpy-0.0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    machines.start("odd", python_path=[fake])
    said = []
    found = campaign(tmp_path, machines, said).run(plan_of("agd", seeds=[0, 1, 2]))
    assert found[:2] == usual
    assert found[2].provenance.environment["numpy"] == "0.0.1" != usual[0].provenance.environment["numpy"]
    assert "A worker has numpy 0.0.1" in said[-1]
    assert current(found) == usual
    machines.end("odd")


def test_a_worker_with_another_normbench_or_other_data_is_refused_and_nothing_of_it_is_stored(
    machines, plan_of, tmp_path
):
    copy = tmp_path / "copy" / "normbench"
    shutil.copytree(ROOT / "normbench", copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "running" / "run.py").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    machines.start("old", python_path=[copy.parent])
    plan, store = plan_of("agd"), Store(tmp_path / "out")
    with pytest.raises(
        WorkerError, match=r"a worker has another normbench, \S+ for agd reference seed 0 .* not stored"
    ):
        campaign(store.directory, machines).run(plan)
    samples = Samples()
    samples.of(plan.requests[0].task)
    [(what, dataset)] = samples._loaded.items()
    samples._loaded[what] = replace(dataset, inputs=dataset.inputs + 1.0)
    with pytest.raises(WorkerError, match="a worker has other data for agd"):
        campaign(store.directory, machines, samples=samples).run(plan)
    assert store.load_all() == ([], [])
    assert not list(store.directory.rglob("*.json"))
    machines.end("old")


def test_a_scheduler_that_is_killed_is_said_at_once_and_the_same_campaign_goes_on(
    machines, plan_of, tmp_path, monkeypatch
):
    machines.start("last")
    plan = plan_of("agd", seeds=range(4), iterations=50)
    began = []

    def kill(tally):
        if tally.runs_done == 1 and not began:
            machines.scheduler.kill()
            began.append(time.monotonic())

    with pytest.raises(WorkerError, match=r"scheduler at tcp://\S+ has gone.*the same command goes on"):
        campaign(tmp_path, machines, on_progress=kill).run(plan)
    assert time.monotonic() - began[0] < 10.0
    done, problems = Store(tmp_path).load_all()
    assert (1 <= len(done) < 4, problems) == (True, [])
    without_workers(monkeypatch)
    found = Campaign(Store(tmp_path), workers=Workers(1)).run(plan)
    assert len(found) == 4
    assert {record.record_id: record for record in found}.items() >= {
        record.record_id: record for record in done
    }.items()
