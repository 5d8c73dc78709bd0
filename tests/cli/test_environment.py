"""The command line in its surroundings: disks, variables, foreign files, and commands that can be pasted."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from normbench.records.store import Store
from tests.cli.calls import RUN, call


def only_line(result, code):
    """The line on standard error that says why a command was refused."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.stderr.splitlines()[-1]  # click writes the usage before it


@pytest.mark.parametrize("columns", ["0", "", " ", "-5", "junk", "1", "99999999999999999999", "80"])
@pytest.mark.parametrize("arguments", [["list", "optimisers"], ["leaderboard"]])
def test_tables_are_printed_however_wide_the_terminal_says_it_is(arguments, columns, results):
    arguments = [*arguments, "--out", results] if arguments == ["leaderboard"] else arguments
    result = call(*arguments, COLUMNS=columns, TERM="dumb", NO_COLOR="1")
    assert result.exit_code == 0
    assert len(re.findall(r"\w+", result.stdout)) > 20


UNWRITABLE = {
    "file": ["run", "leaderboard", "records-import", "reproduce"],
    "file/below": ["run", "records-import", "reproduce"],
    "/dev/null/x": ["run", "records-import", "reproduce"],
    "x" * 300: ["run", "records-import", "reproduce"],
}


@pytest.mark.parametrize(("out", "command"), [(out, c) for out, commands in UNWRITABLE.items() for c in commands])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(out, command, results, tmp_path, monkeypatch):
    export = tmp_path / "records.csv"
    assert call("records", "export", export, "--out", results).exit_code == 0
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    before = sorted(tmp_path.iterdir())
    calls = {
        "run": [*RUN, "--out", out],
        "leaderboard": ["leaderboard", "--out", out],
        "records-import": ["records", "import", export, "--out", out],
        "reproduce": ["reproduce", "agd-figure7", "--backend", "torch", "--out", out],
    }
    result = call(*calls[command])
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert out in result.stderr
    assert "runs" not in result.stderr  # nothing was trained
    assert isinstance(result.exception, SystemExit)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["export", "report", "figures", "history"])
def test_a_file_that_cannot_be_written_is_one_line(command, results, tmp_path, monkeypatch):
    pytest.importorskip("altair")
    pytest.importorskip("seaborn")  # of history
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "records")
    [record], _ = Store.within(results).load_all()
    store.write(record)
    blocked = {"export": "out.csv", "report": "report.html", "figures": "figures/x", "history": "out.svg"}[command]
    if command == "figures":
        Path("figures").touch()
    else:
        Path(blocked).mkdir()
    calls = {
        "export": ["records", "export", blocked, "--out", "."],
        "report": ["report", "--out", "."],
        "figures": ["leaderboard", "--figures", "--out", "."],
        "history": ["history", "track", "--output", blocked],
    }
    line = only_line(call(*calls[command]), 2 if command in ("export", "history") else 1)
    assert blocked.partition("/")[0] in line


@pytest.mark.parametrize("option", ["--out", "--data-dir"])
def test_an_empty_path_is_refused_and_a_tilde_expanded(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = call(*RUN, option, "")
    assert refused.exit_code == 2
    assert "must name a file or folder" in refused.stderr
    missing = call("leaderboard", "--out", "~/nowhere", HOME="/home/someone")
    assert "/home/someone/nowhere" in missing.stderr


def test_foreign_files_beside_records_bother_nobody(results, tmp_path):
    folder = tmp_path / "records"
    store = Store(folder)
    [record], _ = Store.within(results).load_all()
    good = store.write(record)
    (folder / f"._{good.name}").write_bytes(b"\0\5\26\7")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".hidden.json").write_text("{")
    (folder / f"{'0' * 32}.json").mkdir()
    (folder / "notes.txt").write_text("mine")
    os.mkfifo(folder / f"{'1' * 32}.json")
    assert store.files() == [good]
    export = tmp_path / "x.csv"
    for arguments in (
        ["leaderboard", "--out", tmp_path],
        ["compare", tmp_path, results],
        ["records", "export", export, "--out", tmp_path],
        ["records", "import", export, "--out", tmp_path],
        [*RUN, "--out", tmp_path],
    ):
        result = call(*arguments)
        assert result.exit_code == 0, result.output
        assert "Skipped" not in result.stderr


def test_a_folder_of_records_that_cannot_be_read_is_not_an_empty_one(results, tmp_path):
    Store(tmp_path / "records").write(Store.within(results).load_all()[0][0])
    code = (
        "import os, sys; from normbench.errors import RecordError; from normbench.records.store import Store\n"
        "from pathlib import Path\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        f"try: print(Store(Path({str(tmp_path / 'records')!r})).load_all())\n"
        "except RecordError as error: print(error)"
    )
    (tmp_path / "records").chmod(0)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (tmp_path / "records").chmod(0o755)
    assert done.stdout == f"the folder {tmp_path / 'records'} cannot be read: Permission denied.\n"


def printed_commands(text):
    return re.findall(r"(?:again|Make some|Make it): (normbench .*)", text)


def test_printed_commands_can_be_pasted_into_a_shell(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = 'it\'s "my" $HOME; results'
    Path(odd).mkdir()
    outputs = [
        call(*RUN, "--out", results).stderr,
        *(call(name, "--out", odd).stderr for name in ("leaderboard", "report")),
        call("records", "export", "x.csv", "--out", odd).stderr,
    ]
    commands = [command for text in outputs for command in printed_commands(text)]
    assert len(commands) == 4
    for command in commands:
        pasted = f"normbench() {{ {sys.executable} -c 'import sys, json; print(json.dumps(sys.argv[1:]))' \"$@\"; }}\n"
        done = subprocess.run(["bash", "-c", pasted + command], capture_output=True, text=True, check=True)
        words = json.loads(done.stdout)
        assert words[1] == "--out"
        assert words[2:] in ([str(results)], [odd])


@contextlib.contextmanager
def files_of_at_most(size):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("in_this_process")
def test_a_record_that_cannot_be_written_names_the_run_that_is_lost(tmp_path):
    with files_of_at_most(5000):  # enough for the probe, not for the curves of 100 iterations
        done = call(*RUN, "--iterations", "100", "--out", tmp_path)
    line = only_line(done, 1)
    assert "File too large. The result of agd reference seed 0 on quadrotor-sim is lost" in line
    assert list((tmp_path / "records").iterdir()) == []


def test_runs_that_fail_show_in_the_exit_code_and_by_name_with_the_reason(tmp_path):
    pytest.importorskip("jax")
    arguments = ["run", "--layers", "12,4,3", "--iterations", "2", "--backend", "jax", "--jobs", "1", "--seeds", "1"]
    result = call(*arguments, "--optimiser", "agd", "--out", tmp_path, XLA_FLAGS="--no_such_flag_of_xla")
    assert result.exit_code == 1
    assert "Failed: agd jax seed 0 on quadrotor-sim: the worker process died 2 times" in result.stderr
    assert "1 of the runs failed" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--iterations", str(10**30)], "iterations"),
        (["run", "--batch-size", str(10**18), "--optimiser", "sgd"], "larger than the training set"),
        (["run", "--task", "digits", "--batch-size", "1500", "--optimiser", "sgd"], "larger than the training set"),
        (["run", "--width", str(10**12), "--depth", "3"], "GiB"),
        (["run", "--layers", "12,10000000000,3"], "GiB"),
        (["run", "--width", "4", "--depth", "10000000"], "--depth"),
        (["run", "--seeds", str(10**30)], "--seeds"),
        (["run", "--jobs", str(10**9)], "--jobs"),
        (["run", "--split", "official"], "official"),
        *((["history", "x", "--threshold", text], "positive finite") for text in ("nan", "inf", "-1", "0", "x", "")),
        *((["leaderboard", "--target-rms", text], "positive finite") for text in ("nan", "inf", "-1", "0")),
    ],
)
def test_what_cannot_work_is_a_wrong_call_and_leaves_no_record(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
