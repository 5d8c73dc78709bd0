"""A campaign that is interrupted, killed or left alone goes on from what it has stored."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from normbench.cli import main


def _children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def _wait(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextlib.contextmanager
def _heeding_interrupts():
    """What starts here hears SIGINT; a shell starts what runs in its background deaf to it, and pytest may be that."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _campaign(out, jobs):
    arguments = ["--backend", "reference", "--optimiser", "method1", "--jobs", str(jobs), "--format", "json"]
    size = ["--layers", "12,10,3", "--iterations", "5", "--seeds", "9"]
    return ["run", *arguments, *size, "--out", str(out)]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the process table from /proc")
def test_killing_a_campaign_loses_only_the_runs_in_flight(tmp_path, request):
    """Interrupted, then killed, then left alone: each call goes on from what the one before has stored."""
    records, stored = tmp_path / "records", {}
    for how, code, jobs in ((signal.SIGINT, 130, 1), (signal.SIGKILL, -9, 2)):
        command = [sys.executable, "-m", "normbench.cli", *_campaign(tmp_path, jobs)]
        with _heeding_interrupts():
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen(command, start_new_session=True, **pipes)
        _wait(lambda: len(list(records.glob("*.json"))) > len(stored), 240, "no record appeared")  # noqa: B023
        workers = _children(process.pid)
        assert workers
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does at Ctrl-C: to all processes
        else:
            os.kill(process.pid, how)
        _, errors = process.communicate(timeout=90)
        _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 30, f"workers live on: {workers}")  # noqa: B023
        before, stored = stored, {p: p.stat().st_mtime_ns for p in records.glob("*.json")}

        assert process.returncode == code
        assert how == signal.SIGKILL or "goes on from there" in errors
        assert "Traceback" not in errors
        assert before.items() < stored.items()
        assert len(stored) < 9
    request.getfixturevalue("in_this_process")
    again = CliRunner().invoke(main, _campaign(tmp_path, 2), catch_exceptions=False)
    assert again.exit_code == 0
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(row["seed"], row["status"]) for row in rows] == [(seed, "done") for seed in range(9)]
    assert {p: p.stat().st_mtime_ns for p in stored} == stored
    assert f"0 of {9 - len(stored)} runs" in again.stderr
