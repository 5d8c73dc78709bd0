"""A package with an optimiser for torch and JAX, and a task: installed by pip, and on a board without a change here."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import normbench
from normbench import specs
from normbench.analysis.leaderboard import boards
from normbench.problems import plug_ins, tasks
from normbench.records.libraries import installed
from normbench.records.plug_ins import mark
from normbench.records.store import Store
from normbench.records.versions import code_version
from tests.cli.calls import COMMAND, call

SMALL = ["--layers", "4,3,1", "--iterations", "2", "--seeds", "1", "--tune", "none", "--lipschitz", "20", "--jobs", "1"]
CALL = ["run", "--task", "pendulum", *SMALL, "--optimiser", "signum"]
CALL += ["--grid", "signum.momentum=0.8,0.9,0.95"]  # which the worker has to be told
CLASS, FUNCTION = "normbench_example.torch_signum:Signum", "normbench_example.optax_signum:signum"


def beside_each_other(out, shown, backend, other):
    """The records of two optimisers of the package, by entry point and by address; both are on the board."""
    for name in ("signum", other):
        assert f" {name} " in shown
    assert "pendulum (SIMULATED data)" in shown
    records, problems = Store.within(out).load_all()
    assert not problems
    assert {(r.request.optimiser, r.request.backend) for r in records} == {("signum", backend), (other, backend)}
    assert all(r.outcome.status == "done" and r.outcome.proven_bound <= 20 for r in records)
    for record in records:
        said = record.provenance.plug_in
        assert (said["package"], said["version"]) == ("normbench-example", "1.2.0")
        assert said.get("grids") == ("momentum" if record.request.optimiser == "signum" else None)
        assert record.provenance.code_version.rpartition(".")[0] == code_version(backend)
    return records


def test_an_installed_package_is_on_the_board_beside_ours(site, tmp_path):
    """In processes of their own: the command and its worker. With JAX, because torch and its optimisers load longer."""
    path = os.pathsep.join([str(site), str(Path(normbench.__file__).parents[1])])
    chosen = ["--backend", "jax", "--optimiser", FUNCTION, "--set", f"{FUNCTION}.learning_rate=0.01"]
    ended = subprocess.run(
        [*COMMAND, *CALL, *chosen, "--out", str(tmp_path / "results")],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    records = beside_each_other(tmp_path / "results", ended.stdout, "jax", FUNCTION)
    # here the package is not installed: the board is the same
    assert len(boards(records)[0].optimisers) == 2


@pytest.mark.usefixtures("in_this_process")
def test_so_it_is_with_torch(site, tmp_path, on_path):
    on_path(site)
    ended = call(*CALL, "--backend", "torch", "--optimiser", CLASS, "--out", tmp_path, COLUMNS="200")
    assert ended.exit_code == 0, ended.stderr
    beside_each_other(tmp_path, ended.stdout, "torch", CLASS)


def test_lists_name_what_packages_offer(site, on_path):
    on_path(site)
    optimisers = [json.loads(line) for line in call("list", "optimisers", "--format", "json").stdout.splitlines()]
    [found] = [row for row in optimisers if row["family"] == "plug-in"]
    assert (found["optimiser"], found["backends"], found["to_tune"]) == (
        "signum",
        "torch, jax",
        "learning_rate, momentum",
    )
    known = [json.loads(line) for line in call("list", "tasks", "--format", "json").stdout.splitlines()]
    assert [row["hidden"] for row in known if row["task"] == "pendulum"] == ["25-30-15"]
    assert tasks.get("pendulum").layers(tasks.get("pendulum").dataset()) == (4, 25, 30, 15, 1)


def test_a_task_has_the_splits_that_its_samples_allow(site, on_path, monkeypatch):
    on_path(site)
    made = tasks.get("pendulum").dataset()
    assert tasks.get("pendulum").source_info.splits == ("random",)
    monkeypatch.setattr(plug_ins, "dataset", lambda key: replace(made, flight=np.arange(len(made.inputs)) // 100))
    assert tasks.get("pendulum").source_info.splits == ("random", "grouped")


def test_an_installed_version_counts_and_not_the_source(site, on_path, monkeypatch):
    on_path(site)
    installed.cache_clear()  # a process takes versions for what they were when it first asked
    before = mark.__wrapped__("signum")
    metadata = site / "normbench_example-1.2.0.dist-info" / "METADATA"
    text, source = metadata.read_text(), site / "normbench_example" / "torch_signum.py"
    content = source.read_text()
    try:
        source.write_text(content + "# changed\n")
        assert mark.__wrapped__("signum") == before
        metadata.write_text(text.replace("Version: 1.2.0", "Version: 1.3.0"))
        installed.cache_clear()
        assert mark.__wrapped__("signum") != before
    finally:
        metadata.write_text(text)
        source.write_text(content)
        installed.cache_clear()


def test_a_broken_package_breaks_nothing_else(tmp_path, on_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[normbench.optimisers]\nbroken = broken_package:Broken\nadam = broken_package:Adam\n"
        "[normbench.tasks]\nbroken-task = broken_package:task\nno-data = math:nan\nwrong-data = os:getpid\n"
    )
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('it is broken')")
    on_path(tmp_path)
    assert call("--help").exit_code == call("run", "--help").exit_code == 0
    for what, names in (("optimisers", ["broken", "adam"]), ("tasks", ["broken-task", "no-data"])):
        ended = call("list", what)
        assert ended.exit_code == 0
        assert all(f"{name!r}" in ended.stderr for name in names)
        assert len(ended.stderr.splitlines()) == len(names)
    ended = call("run", "--optimiser", "broken", "--out", tmp_path / "out")
    assert ended.exit_code == 2
    assert ended.stderr == (
        "Error: plug-in 'broken' (broken_package:Broken) cannot be imported: RuntimeError: it is broken. "
        "Repair the package.\n"
    )
    assert specs.get("adam") is specs.SPECS["adam"]
    for task, said in (("no-data", "is of type float"), ("wrong-data", "gave int"), ("nothing", "'nothing'")):
        ended = call("run", "--task", task, "--out", tmp_path / "out")
        assert (ended.exit_code, said in ended.stderr) == (2, True), ended.stderr


def offer(folder, package, *lines):
    """An installed package with entry points alone."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("what", "group", "ours", "found"),
    [
        ("optimisers", "normbench.optimisers", "adam", "optax:lion"),
        ("tasks", "normbench.tasks", "digits", "normbench_example.pendulum:pendulum"),
    ],
)
def test_of_a_name_that_is_taken_the_list_says_whose_it_is(what, group, ours, found, tmp_path, on_path, example):
    """Of two packages the first on the path has the name, as of modules; the last had it."""
    on_path(offer(tmp_path / "two", "second", f"[{group}]", "shared = os:getpid"))
    on_path(offer(tmp_path / "one", "first", f"[{group}]", f"shared = {found}", f"{ours} = {found}"))
    ended = call("list", what, "--format", "json")
    assert ended.exit_code == 0, ended.output
    said = " ".join(ended.stderr.split())
    assert f"Left out: {ours!r} of first 1.0: that name is one of normbench's." in said
    shown = [json.loads(line) for line in ended.stdout.splitlines()]
    assert any(row[what.removesuffix("s")] == "shared" for row in shown)
    assert "Left out: 'shared' of second 1.0: first 1.0 has that name, too" in said


@pytest.mark.parametrize(
    ("command", "option", "group"),
    [
        ("run", "--optimiser", "normbench.optimisers"),
        ("run", "--task", "normbench.tasks"),
        ("fit", "--optimiser", "normbench.optimisers"),
    ],
)
def test_a_mistyped_name_of_a_package_is_answered_with_the_closest(command, option, group, tmp_path, on_path):
    on_path(offer(tmp_path / "one", "first", f"[{group}]", "lookback = optax:lion"))
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    ended = call(command, *([table] if command == "fit" else []), option, "lookbak")
    assert ended.exit_code == 2
    assert "'lookbak' is not one of" in ended.stderr
    assert "Did you mean 'lookback'?" in " ".join(ended.stderr.split())
