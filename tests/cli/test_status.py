"""``normbench status``: what of the runs that the options, or a file, ask for is done; the exit code says it, too."""

import json
import shutil

import pytest

from normbench.campaigns.campaign import Campaign
from normbench.records.store import RECORDS, Store
from normbench.running.result import Outcome
from tests.changes import changed
from tests.cli.calls import TINY, call

AGD = [*TINY, "--optimiser", "agd"]  # as the folder of results has it
FILE = '[[runs]]\nlayers = "12,4,3"\niterations = 2\nbackend = "reference"\nseeds = 1\noptimiser = "agd"\n'


@pytest.fixture
def out(results, tmp_path):
    """A folder of results of the test's own."""
    return shutil.copytree(results, tmp_path / "out")


def said(result):
    return json.loads(result.stdout)


@pytest.mark.parametrize("given", ["options", "file"])
def test_what_is_done_ends_with_0(given, out, tmp_path):
    (tmp_path / "c.toml").write_text(FILE)
    words = AGD if given == "options" else [tmp_path / "c.toml", "--jobs", 1]
    before = sorted(out.rglob("*"))
    found = call("status", *words, "--out", out)
    assert (found.exit_code, found.stderr) == (0, "")
    header, _, line, remark = found.stdout.splitlines()
    assert header.split() == ["task", "done", "runs"]
    assert line.split() == ["quadrotor-sim", "1", "1"]
    assert remark == "All is done."
    assert sorted(out.rglob("*")) == before
    state = {"done": 1, "running": 0, "failed": 0, "missing": 0}
    expected = {**state, "complete": True, "searches": 0, "open_searches": 0, "expected_seconds": 0.0, "timed": 1}
    found = call("status", *words, "--out", out, "--format", "json")
    assert said(found) == expected | {"jobs": 1, "tasks": {"quadrotor-sim": state}, "failures": []}


def test_what_is_missing_ends_with_1_and_the_time_it_takes(out):
    [record] = Store(out / RECORDS).load_all()[0]
    Store(out / RECORDS).write(changed(record, seconds_train=7200.0))
    more = call("status", *AGD[:-4], "--seeds", 3, "--optimiser", "agd", "--jobs", 2, "--out", out)
    assert more.exit_code == 1
    assert more.stdout.splitlines()[2].split() == ["quadrotor-sim", "1", "2", "3"]
    assert more.stdout.splitlines()[-1] == (
        "Expected time: about 2 h 0 min, 2 at a time, by the one run that this machine has made."
    )


def test_what_failed_is_named_with_its_reason(out):
    [record] = Store(out / RECORDS).load_all()[0]
    failed = Outcome.failed("out of memory", unit="N", predictors=record.outcome.predictors)
    Store(out / RECORDS).write(changed(record, **vars(failed)))
    found = call("status", *AGD, "--out", out, "--format", "json")
    assert (found.exit_code, said(found)["failed"]) == (1, 1)
    assert said(found)["failures"] == [
        {"record": record.record_id, "run": "agd reference seed 0 on quadrotor-sim", "reason": "out of memory"}
    ]
    assert "Failed: agd reference seed 0 on quadrotor-sim: out of memory\n" in found.stderr
    assert "1 of the runs failed. normbench run makes them again." in found.stderr


def test_an_unreadable_record_is_missing(out):
    [path] = Store(out / RECORDS).files()
    path.write_text("{")
    assert said(call("status", *AGD, "--out", out, "--format", "json"))["missing"] == 1
    assert path.read_text() == "{"


def test_nothing_is_known_of_an_empty_folder_and_it_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(Campaign, "run", None)
    found = call(
        "status", *AGD, "--optimiser", "sgd", "--task", "digits", "--layers", "64,4,10", "--out", tmp_path / "no"
    )
    assert found.exit_code == 1
    assert [line.split() for line in found.stdout.splitlines()[2:3]] == [["digits", "0", "17", "17"]]
    assert "The search has not chosen a value yet: at least these runs, and more as that goes on." in found.stdout
    assert "Expected time: not known, since none of these runs was made on this machine yet." in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_several_tasks_have_a_sum(out, tmp_path):
    (tmp_path / "c.toml").write_text(FILE + '[[runs]]\ntask = "digits"\nbackend = "reference"\noptimiser = "agd"\n')
    lines = call("status", tmp_path / "c.toml", "--out", out).stdout.splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["quadrotor-sim", "1", "0", "1"],
        ["digits", "0", "3", "3"],
        ["all", "1", "3", "4"],
    ]
    share = [said(call("status", tmp_path / "c.toml", "--shard", f"{k}/2", "--format", "json")) for k in (1, 2)]
    assert sum(part["missing"] for part in share) == 4
    assert all(part["missing"] for part in share)


def test_a_wrong_call_ends_with_2(out):
    assert call("status", "--optimiser", "adamm").exit_code == 2
    assert call("status", *AGD, "--shard", "3/2").exit_code == 2
