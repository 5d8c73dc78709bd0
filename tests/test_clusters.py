"""The commands of docs/clusters.md come from a clone to a board, with stand-ins for those of SLURM alone.

bash reads them as they stand in the page; what it hands over to ``normbench`` is then called here, in that order.
"""

import inspect
import os
import re
import subprocess
from pathlib import Path

import pytest
from dask_jobqueue.core import Job, JobQueueCluster
from dask_jobqueue.slurm import SLURMJob

from normbench.campaigns.engine import cluster_file
from normbench.records.store import RECORDS, Store
from tests.cli.calls import call
from tests.pages import ROOT
from tests.this_process import without_workers

PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
SCRIPT, COMMANDS, SMALLER, _ = re.findall(r"^```bash\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
INSTALL, *REST = COMMANDS.splitlines()
STAND_INS = {
    # runs the script for every number of its array, in the folder and environment of the caller, as SLURM does
    "sbatch": r"""
numbers=$(sed -nE 's/^#SBATCH --array=([0-9]+)-([0-9]+)$/seq \1 \2/p' "${@: -1}" | bash)
case "$1" in --array=*) numbers="${1#--array=}";; esac
for number in $numbers; do SLURM_ARRAY_TASK_ID=$number bash "${@: -1}" || exit; done
echo "Submitted batch job 1"
""",
    "squeue": '[ "$*" = --me ]\n',
    "normbench": "printf '%s\\0' \"$@\" >> calls; echo >> calls\n",
}
OPTIONS = {"array", "cpus-per-task", "time"}  # of sbatch


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    without_workers(monkeypatch)
    (tmp_path / "sweep.sh").write_text(SCRIPT)
    return tmp_path


def test_the_file_of_a_cluster_is_one_that_is_read(tmp_path):
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "slurm.yaml").write_text(text)
    said = cluster_file.read(tmp_path / "slurm.yaml")
    assert said["workers"] == 20
    accepted = inspect.signature(JobQueueCluster.__init__).parameters.keys() | inspect.signature(SLURMJob).parameters
    assert said["options"].keys() <= accepted | inspect.signature(Job).parameters.keys()


def calls_of(commands):
    """The arguments of every call of normbench that these lines of bash make."""
    subprocess.run(["bash", "-euo", "pipefail", "-c", SMALLER + commands], check=True, stdout=subprocess.DEVNULL)
    calls = Path("calls")
    found = [line.split("\0")[:-1] for line in calls.read_text(encoding="utf-8").splitlines()]
    calls.unlink()
    return found


def records(folder):
    return {record.record_id for record in Store(folder / RECORDS).load_all()[0]}


def test_five_commands_come_from_a_clone_to_a_board(here):
    assert len([INSTALL, *REST]) == 5
    calls = calls_of("\n".join(REST))
    made = [call(*arguments) for arguments in calls]
    assert [arguments[0] for arguments in calls] == ["run", "run", "records", "leaderboard"]
    assert [result.exit_code for result in made] == [0] * 4, [result.output for result in made]
    parts = [records(here / name) for name in ("part1", "part2")]
    assert [len(part) for part in parts] == [2, 2]
    assert records(here / "all") == parts[0] | parts[1]
    for name in re.findall(r"--optimiser (\w+)", SCRIPT):
        assert f"  {name} " in made[-1].stdout


def test_a_part_that_was_stopped_is_given_again(here):
    first, second = calls_of("sbatch sweep.sh")
    again = re.search(r"`(sbatch --array=\d+ sweep\.sh)`", PAGE)[1]
    assert calls_of(again) == [second] != [first]


def test_the_script_asks_slurm_for_what_it_knows():
    asked = [line for line in SCRIPT.splitlines() if line.startswith("#SBATCH")]
    assert {re.fullmatch(r"#SBATCH --([a-z-]+)=\S+", line)[1] for line in asked} == OPTIONS
    assert SCRIPT.startswith("#!/bin/bash\n#SBATCH")  # SLURM reads no further than the first command


def test_the_installation_is_that_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (main_job,) = re.findall(r"<!-- main job -->\n```bash\n(.*)\n```", readme)
    installation, _, run = main_job.rpartition(" && ")
    assert run.startswith(".venv/bin/normbench run ")
    assert f"{installation} && source .venv/bin/activate" == INSTALL
