"""A cluster is made as a file says, used and ended; what the file says wrongly is one error."""

import gc
import re
import signal
import stat
import sys
import time
from pathlib import Path

import dask
import pytest

from normbench.campaigns.engine import engine as engine_module
from normbench.campaigns.engine import replacements
from normbench.campaigns.engine.adaptive import Demand
from normbench.campaigns.engine.cluster_file import made
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.workers import Workers
from normbench.errors import InvalidArgumentError, WorkerError
from tests.campaigns.engine.jobs import Deadly, Work
from tests.campaigns.engine.test_engine import gone

WRONG = {
    "nothing": ("", InvalidArgumentError, "names nothing"),
    "a list": ("- 1", InvalidArgumentError, "names nothing"),
    "no YAML": ("cluster: [", InvalidArgumentError, "cannot be read"),
    "misspelt": ("cluster: a.B\nworker: 2", InvalidArgumentError, "'worker' is none of .* Did you mean 'workers'"),
    "no class": ("workers: 2", InvalidArgumentError, "cluster must be the full name of a class; got None"),
    "no workers": ("cluster: a.B", InvalidArgumentError, "workers must be a number of at least 1, or .*; got None"),
    "none": ("cluster: a.B\nworkers: 0", InvalidArgumentError, "workers must be a number of at least 1, or .*; got 0"),
    "no maximum": (
        "cluster: a.B\nworkers: {minimum: 1}",
        InvalidArgumentError,
        "minimum and maximum, .*got {'minimum': 1}",
    ),
    "misspelt limit": (
        "cluster: a.B\nworkers: {min: 1, maximum: 2}",
        InvalidArgumentError,
        "minimum and maximum, as in",
    ),
    "no limit": (
        "cluster: a.B\nworkers: {minimum: 1, maximum: .inf}",
        InvalidArgumentError,
        "maximum must be a number of at least 1; got inf",
    ),
    "below none": (
        "cluster: a.B\nworkers: {minimum: -1, maximum: 2}",
        InvalidArgumentError,
        "minimum must be a number of at least 0; got -1",
    ),
    "crossed": (
        "cluster: a.B\nworkers: {minimum: 3, maximum: 2}",
        InvalidArgumentError,
        "minimum must not be above maximum; got",
    ),
    "cannot adapt": (
        "cluster: collections.Counter\nworkers: {minimum: 1, maximum: 2}",
        InvalidArgumentError,
        "workers of collections.Counter cannot follow the runs that wait",
    ),
    "twice": ("cluster: a.B\nworkers: 2\nworkers: 20", InvalidArgumentError, "cannot be read: .*workers stands twice"),
    "an option twice": (
        "cluster: a.B\nworkers: 2\noptions: {cores: 1, cores: 2}",
        InvalidArgumentError,
        "cannot be read: .*cores stands twice",
    ),
    "a truth": ("cluster: a.B\nworkers: true", InvalidArgumentError, "workers must be .*; got True"),
    "options": (
        "cluster: a.B\nworkers: 1\noptions: 3",
        InvalidArgumentError,
        "options must be names and values; got",
    ),
    "no package": ("cluster: no_such.Cluster\nworkers: 1", InvalidArgumentError, "pip install no-such"),
    "no such class": (
        "cluster: distributed.Cloud\nworkers: 1",
        InvalidArgumentError,
        "distributed.Cloud cannot be",
    ),
    "bare": ("cluster: Cloud\nworkers: 1", InvalidArgumentError, "cluster must be the full name .* got 'Cloud'"),
    "empty": ('cluster: ""\nworkers: 1', InvalidArgumentError, "cluster must be the full name .* got ''"),
    "dot": ("cluster: .Cloud\nworkers: 1", InvalidArgumentError, "cluster must be the full name .* got '.Cloud'"),
    "refused": (
        "cluster: builtins.int\nworkers: 1\noptions: {cores: 1}",
        WorkerError,
        "builtins.int with these options gives no workers: TypeError",
    ),
    "no cluster": (
        "cluster: collections.Counter\nworkers: 1",
        WorkerError,
        "'Counter' object has no attribute 'scale'",
    ),
}


@pytest.mark.parametrize(("text", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_file_is_said_with_its_name(text, kind, message, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(kind, match=message) as found:
        made(path, Demand())
    assert str(path) in str(found.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(InvalidArgumentError, match="cannot be read: FileNotFoundError"):
        made(tmp_path / "none.yaml", Demand())
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        made(tmp_path / "bytes.yaml", Demand())


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A file, and stand-ins for sbatch and scancel that run the job script of dask-jobqueue here as it is."""
    if sys.platform == "win32":
        pytest.skip("stand-ins are shell scripts")
    folder = tmp_path / "bin"
    folder.mkdir()
    _program(
        folder / "sbatch",
        f'cp "$1" {tmp_path}/job.sh\nbash {tmp_path}/job.sh > {tmp_path}/log 2>&1 &\necho "Submitted batch job $!"',
    )
    _program(folder / "scancel", 'for job in "$@"; do pkill -P "$job"; kill "$job"; done 2> /dev/null; true')
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin")
    (tmp_path / "slurm.yaml").write_text(
        "cluster: dask_jobqueue.SLURMCluster\nworkers: 1\n"
        f"options: {{cores: 1, memory: 1GiB, processes: 1, interface: lo, local_directory: {tmp_path}, "
        "log_directory: null, scheduler_options: {dashboard_address: ':0'}}\n"
    )
    return tmp_path / "slurm.yaml"


def test_a_cluster_of_slurm_is_made_used_and_ended_and_no_run_with_an_idle_process_of_its_job(slurm):
    """dask ends whole jobs of the batch system."""
    text = slurm.read_text().replace("workers: 1", "workers: {minimum: 0, maximum: 2}")
    slurm.write_text(text.replace("cores: 1", "cores: 2").replace("processes: 1", "processes: 2"))
    outcomes = []
    with (
        dask.config.set({"distributed.adaptive.interval": "10ms"}),
        Engine(Workers(1, cluster=slurm, threads=1)) as engine,
    ):
        engine.run([Work(0), Work(1)], outcomes.append)
        engine.run([Work(2, seconds=2.0)], outcomes.append)
        pids = {outcome.value[1] for outcome in outcomes}
    assert sorted(outcome.value[0] for outcome in outcomes) == [0, 1, 2]
    assert gone(pids, 30.0)


def test_a_worker_is_asked_for_in_the_place_of_one_that_was_lost_and_again_where_that_is_refused(slurm, monkeypatch):
    """As after a walltime, or a memory limit; the first refusal is said, with what it printed."""
    monkeypatch.setattr(engine_module, "_PATIENCE", 0.3)
    monkeypatch.setattr(replacements, "_RETRY_SECONDS", 0.1)
    slurm.write_text(slurm.read_text().replace("processes: 1", "processes: 1, nanny: false"))
    deaths, real = slurm.parent / "deaths", slurm.parent / "bin" / "sbatch"
    deaths.mkdir()
    real.write_text(real.read_text().replace("cp ", f"echo >> {slurm.parent}/asked\ncp "))
    real.write_text(real.read_text().replace("cp ", '[ "$(wc -l < asked)" = 2 ] && { echo drained >&2; exit 1; }\ncp '))
    monkeypatch.chdir(slurm.parent)
    said, outcomes = [], []
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10ms"}),
        Engine(Workers(1, cluster=slurm, threads=1), said.append) as engine,
    ):
        engine.run([Deadly(0, folder=deaths)], outcomes.append)
        pids = {outcome.value[1] for outcome in outcomes}
    assert [(outcome.value[0], outcome.died) for outcome in outcomes] == [(0, "")]
    assert len((slurm.parent / "asked").read_text().splitlines()) == 3
    assert any(re.search(r"Waiting for workers of \S+slurm.yaml. Their jobs are \d+: squeue", line) for line in said)
    [refused] = [line for line in said if "in the place of one that it lost" in line]
    assert "drained" in refused
    assert gone(pids, 30.0)


def test_a_class_that_is_loaded_does_not_change_what_ctrl_c_does(monkeypatch, tmp_path):
    """dask_jobqueue has it end the program at once, with exit code 0."""
    before = signal.getsignal(signal.SIGINT)
    for name in [name for name in sys.modules if name.partition(".")[0] == "dask_jobqueue"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        (tmp_path / "none.yaml").write_text("cluster: dask_jobqueue.NoCluster\nworkers: 1")
        with pytest.raises(InvalidArgumentError, match="NoCluster cannot be imported"):
            made(tmp_path / "none.yaml", Demand())
        assert "dask_jobqueue" in sys.modules
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_submission_that_fails_is_said_at_once_with_what_it_printed(slurm, capfd):
    _program(slurm.parent / "bin" / "sbatch", 'echo "invalid partition" >&2; exit 1')
    with pytest.raises(WorkerError, match=r"SLURMCluster with these options gives no workers: .*invalid partition"):
        made(slurm, Demand())
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of what dask has made in half
def test_an_option_that_the_class_does_not_know_is_said(slurm):
    slurm.write_text(slurm.read_text().replace("cores: 1", "cors: 1"))
    with pytest.raises(WorkerError, match="unexpected keyword argument 'cors'"):
        made(slurm, Demand())
    gc.collect()  # here, where that is no error


def test_workers_follow_the_jobs_between_a_minimum_and_a_maximum(tmp_path):
    (tmp_path / "local.yaml").write_text(
        "cluster: distributed.LocalCluster\nworkers: {minimum: 1, maximum: 2}\n"
        "options: {n_workers: 0, threads_per_worker: 1, dashboard_address: null, "
        "scheduler_kwargs: {dashboard_address: ':0'}}\n"  # without a page, its server takes the usual port all the same
    )
    sizes, outcomes = [], []

    def note(outcome):
        outcomes.append(outcome.value[0])
        sizes.append(len(engine.seats))

    with (
        dask.config.set({"distributed.adaptive.interval": "20ms"}),
        Engine(Workers(1, cluster=tmp_path / "local.yaml", threads=1)) as engine,
    ):
        engine.run([Work()], note)
        assert sizes == [1]
        many = [Work(n, seconds=0.3) for n in range(1, 100)]
        left_out = engine.run(many, note, may_start=lambda job: 2 not in sizes)  # a process starts when it can
        assert max(sizes) == 2
        assert sorted(outcomes) == sorted({*range(100)} - {job.number for job in left_out})
        deadline = time.monotonic() + 20.0
        while len(engine.seats) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
            engine.start(0)
        assert len(engine.seats) == 1
        engine.run([Work(100)], note)
        assert outcomes[-1] == 100


def _program(path, body):
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
