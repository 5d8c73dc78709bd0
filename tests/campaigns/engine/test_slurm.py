"""The real SLURM, where one runs: jobs come, are replaced when they are cancelled, and leave with the client."""

import os
import shutil
import subprocess

import dask
import pytest

from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.workers import Workers
from tests.campaigns.engine.jobs import Work
from tests.campaigns.engine.machines import until
from tests.pages import ROOT


def printed(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def answers():
    """True if the commands are there and a controller answers that takes jobs."""
    return shutil.which("scontrol") is not None and "is UP" in printed("scontrol", "ping")


@pytest.mark.skipif(not answers(), reason="no SLURM answers here: scontrol ping")
def test_jobs_of_slurm_are_replaced_where_they_are_cancelled_and_leave_with_the_client(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # which sbatch hands on
    name = f"normbench-{os.getpid()}"
    (tmp_path / "slurm.yaml").write_text(
        "cluster: dask_jobqueue.SLURMCluster\nworkers: 2\n"
        f"options: {{cores: 1, memory: 1GiB, processes: 1, walltime: '00:05:00', job_name: {name}, "
        f"log_directory: {tmp_path}, local_directory: {tmp_path}, scheduler_options: {{dashboard_address: ':0'}}}}\n"
    )

    def jobs():
        return set(printed("squeue", "--noheader", "--name", name, "--format", "%i").split())

    outcomes, cancelled = [], []

    def cancel_all(outcome):
        outcomes.append(outcome)
        if not cancelled:
            cancelled.extend(jobs())
            printed("scancel", *cancelled)

    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        Engine(Workers(cluster=tmp_path / "slurm.yaml", threads=1)) as engine,
    ):
        engine.run([Work(number, seconds=0.2) for number in range(4)], cancel_all)
        assert len(cancelled) == 2
        assert jobs()
        assert not {*cancelled} & jobs()
    assert sorted(outcome.job.number for outcome in outcomes) == [0, 1, 2, 3]
    until(lambda: not jobs())
