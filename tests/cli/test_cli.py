"""The command line, run for real on tiny problems: results on standard output, the rest beside, honest exit codes."""

import csv
import dataclasses
import importlib
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.plan import bound_trials
from normbench.cli import main
from normbench.cli.listing import LISTS
from normbench.problems import task
from normbench.records.store import Store
from tests.changes import changed
from tests.this_process import without_workers

TINY = ["--layers", "12,4,3", "--iterations", "3", "--backend", "reference", "--jobs", "1"]
SMALL = ["--layers", "12,4,3", "--iterations", "2", "--jobs", "1", "--seeds", "1"]
SHORT = ["--iterations", "1", "--seeds", "1", "--backend", "reference", "--jobs", "1"]


def call(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the records of a real run, and what the command printed."""
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        without_workers(patch)
        result = call("run", *TINY, "--optimiser", "agd", "--optimiser", "sgd", "--seeds", 2, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result


@pytest.mark.quick
def test_run_prints_the_leaderboard_and_where_the_records_are(finished):
    out, result = finished
    assert "quadrotor-sim (SIMULATED data)" in result.stdout
    for row in ("agd", "default 0.001", "best of 5", "zero", "linear"):
        assert row in result.stdout
    assert f"normbench leaderboard --out {out}" in result.stderr


def test_leaderboard_prints_the_same_board_as_run(finished):
    out, result = finished
    assert call("leaderboard", "--out", out).stdout == result.stdout


@pytest.mark.parametrize("form", ["table", "md", "csv", "json"])
def test_a_frontier_of_runs_without_bounds_is_refused_with_what_makes_one(finished, form):
    out, _ = finished
    result = call("leaderboard", "--frontier", "--format", form, "--out", out)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"no task in {out} has runs at two bounds. Make some: normbench run --lipschitz" in result.stderr


def test_running_again_computes_nothing_and_prints_the_same(finished):
    out, result = finished
    before = {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}
    again = call("run", *TINY, "--optimiser", "agd", "--optimiser", "sgd", "--seeds", 2, "--out", out)
    assert again.stdout == result.stdout
    assert {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()} == before


@pytest.mark.quick
def test_json_is_one_strict_object_per_record_and_nothing_else(finished):
    out, _ = finished
    result = call("run", *TINY, "--optimiser", "agd", "--seeds", 2, "--out", out, "--format", "json")
    rows = [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]

    assert [row["seed"] for row in rows] == [0, 1]
    assert all(Path(row["record"]).is_file() for row in rows)
    assert {"task", "simulated", "hyperparameters", "status", "test_rms", "lipschitz_bound", "tuning_runs"} <= set(
        rows[0]
    )


def test_csv_has_a_header_and_one_line_per_record(finished):
    out, _ = finished
    result = call("run", *TINY, "--optimiser", "agd", "--seeds", 2, "--out", out, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["optimiser"], row["layers"]) for row in rows] == [("agd", "12-4-3")] * 2


def test_an_unreadable_record_is_named_and_the_board_still_shown(finished, tmp_path):
    out, _ = finished
    store = Store(tmp_path / "records")
    for record in Store(out / "records").load_all()[0]:
        store.write(record)
    victim = next(store.directory.glob("*.json"))
    victim.write_text(victim.read_text()[:50])
    result = call("leaderboard", "--out", tmp_path)
    assert result.exit_code == 0
    assert victim.name in result.stderr
    assert "zero" in result.stdout


def the_only_row(result):
    [row] = [json.loads(line) for line in result.stdout.splitlines()]
    return row["backend"], row["status"], row["dtype"]


@pytest.mark.usefixtures("in_this_process")
def test_a_backend_runs_from_the_command_line(tmp_path):
    pytest.importorskip("torch")
    result = call("run", *SMALL, "--optimiser", "method1", "--backend", "torch", "--out", tmp_path, "--format", "json")
    assert the_only_row(result) == ("torch", "done", "float32")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--layers", "12,4,3", "--width", "4", "--depth", "2"], "not both"),
        (["run", "--width", "4"], "--depth"),
        (["run", "--layers", "12,x,3"], "12,25,30,15,3"),
        (["run", "--layers", "11,4,3"], "12 inputs"),
        (["run", "--layers", "12,0,3"], "positive"),
        (["run", "--optimiser", "adamm"], "adam"),
        (["run", "--seeds", "0"], "seeds"),
        (["run", "--memory-limit", "much"], "'much' is no number of bytes, such as 4GiB"),
        (["run", "--memory-limit", "1"], "'1' is 1 B, in which no process starts. Write 4GiB"),
        (["run", "--seeds", "9..5"], "'9..5' is neither a number from 1, such as 10, nor a range, such as 10..19"),
        (["run", "--seeds", "1..x"], "'1..x' is neither"),
        (["run", "--seeds", f"1..{2**63}"], "at most 100000 seeds"),
        (["run", "--seeds", f"{2**63}..{2**63}"], "seeds below 2"),
        (["run", "--seeds", "0..100000"], "at most 100000 seeds below 2"),
        (["run", "--shard", "0/4"], "counted from 1; got '0/4'"),
        (["run", "--choose-bound"], "got no bound. Give several of --lipschitz"),
        (["run", "--choose-bound", "--lipschitz", "5", "--lipschitz", "5.0"], "several bounds; got L = 5 alone"),
        (["run", "--tune", "none", "--tuning-budget", "9"], "--tuning-budget 9 is what searches may spend, and --tune"),
        (["run", "--scheduler", ""], "--scheduler must be the address of a dask scheduler, such as tcp://HOST:8786"),
        (["run", "--data-dir", "/no/such/folder"], "does not exist"),
        (["leaderboard", "--out", "/no/such/folder"], "no records"),
        (["records", "import", "gone.csv"], "'gone.csv' does not exist"),
        (["reproduce", "experiment3"], "experiment3"),
        (["certfy", "net.npz"], "No such command 'certfy'. Did you mean 'certify'?"),
        (["zzz"], "No such command 'zzz'.\n"),
        (["list", "papers"], "tasks"),
    ],
)
def test_a_wrong_call_gets_one_clear_message_and_exit_code_2(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def needs_a_library_that_nobody_has(backend, monkeypatch):
    module = importlib.import_module(f"normbench.{backend}.backend")
    missing = dataclasses.replace(module.BACKEND, libraries=("a_library_that_nobody_has",))
    monkeypatch.setattr(module, "BACKEND", missing)


@pytest.mark.usefixtures("in_this_process")
def test_a_missing_backend_is_refused_when_named_and_left_out_otherwise(monkeypatch, tmp_path):
    needs_a_library_that_nobody_has("torch", monkeypatch)
    named = call("run", "--backend", "torch")
    assert (named.exit_code, "pip install" in named.output) == (2, True)

    pytest.importorskip("jax")
    result = call("run", *SMALL, "--optimiser", "agd", "--out", tmp_path, "--format", "json")
    assert the_only_row(result) == ("jax", "done", "float32")
    assert "pip install" in result.stderr


def test_choose_bound_adds_trials_and_nothing_else(monkeypatch, tmp_path):
    plans = []
    monkeypatch.setattr(Campaign, "run", lambda self, plan: plans.append(plan) or [])
    named = [*SHORT, "--lipschitz", 10, "--lipschitz", 40, "--optimiser", "polar_average", "--optimiser", "adam"]
    for option in ([], ["--choose-bound"]):
        assert call("run", *named, *option, "--out", tmp_path, "--format", "json").exit_code == 0
    without, chosen = plans
    assert chosen == without + bound_trials(without)
    assert len(chosen.requests) == len(without.requests) + 6


@pytest.mark.usefixtures("in_this_process")
def test_a_run_loads_a_data_set_once_though_two_tasks_share_it(monkeypatch, tmp_path):
    """Once for itself, and its worker, which is another process else, once for both tasks."""
    loaded = []
    real = task.load
    monkeypatch.setattr(task, "load", lambda name, **where: (loaded.append(name), real(name, **where))[1])
    call("run", *SHORT, "--task", "digits", "--task", "digits-xent", "--optimiser", "agd", "--out", tmp_path)
    assert loaded == ["digits"] * 2
    assert len(list(tmp_path.glob("records/*"))) == 2


@pytest.mark.parametrize("what", LISTS)
def test_list_prints_a_table_and_json(what):
    table = call("list", what)
    assert table.exit_code == 0
    assert "…" not in table.stdout  # which would stand for a part of a name
    rows = [json.loads(line) for line in call("list", what, "--format", "json").stdout.splitlines()]
    assert len(rows) >= 3


def test_the_list_of_parametrisations_says_whom_each_takes():
    rows = [json.loads(line) for line in call("list", "parametrisations", "--format", "json").stdout.splitlines()]
    by_key = {row["parametrisation"]: row for row in rows}
    assert "geodesic_lbfgs" in by_key["sandwich"]["optimisers"].split(", ")
    assert "method1" in by_key["sphere"]["optimisers"].split(", ")
    assert "method1" not in by_key["ball"]["optimisers"].split(", ")
    assert "maxmin" not in by_key["sandwich"]["activations"]
    assert [key for key, row in by_key.items() if not row["keeps_a_bound"]] == ["free"]


def test_data_info_and_verify_report(tmp_path):
    assert "SIMULATED" in call("data", "info", "quadrotor-sim").stdout
    result = call("data", "verify", "neural-fly", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "neural-fly" in result.output


def test_data_verify_fails_on_a_damaged_file(tmp_path):
    from normbench.data import info

    for file in info("neural-fly").files:
        (tmp_path / file.name).write_text("damaged")
    result = call("data", "verify", "neural-fly", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "WRONG" in result.stdout


def planted(source, target, factor):
    store = Store(target / "records")
    for record in source:
        store.write(changed(record, test_rms=factor * record.outcome.test_rms))
    return target


@pytest.mark.quick
def test_compare_finds_a_planted_regression_and_passes_identical_records(finished, tmp_path):
    out, _ = finished
    records, _ = Store(out / "records").load_all()
    same = planted(records, tmp_path / "same", 1.0)
    worse = planted(records, tmp_path / "worse", 1.05)

    assert call("compare", out, same).exit_code == 0
    result = call("compare", out, worse)
    assert result.exit_code == 1
    assert "worse" in result.stdout
    assert call("compare", worse, out).exit_code == 0


def test_comparing_folders_with_nothing_in_common_is_a_wrong_call(finished, tmp_path):
    out, _ = finished
    records, _ = Store(out / "records").load_all()
    other = planted([changed(r, split="blocked") for r in records], tmp_path / "split", 1.0)
    assert call("compare", out, other).exit_code == 2


def test_a_rerun_with_other_seeds_raises_no_alarm(finished, tmp_path):
    out, _ = finished
    records, _ = Store(out / "records").load_all()
    other = planted([changed(r, seed=r.request.seed + 50) for r in records], tmp_path / "seeds", 1.0)
    assert call("compare", out, other).exit_code == 0


@pytest.mark.usefixtures("in_this_process")
def test_validate_exits_with_1_on_a_breach(monkeypatch):
    pytest.importorskip("torch")
    from normbench.running import validation

    monkeypatch.setattr(validation, "FLOAT64_LIMIT", -1.0)  # nothing agrees that well
    result = call("validate", "--optimiser", "agd", "--backend", "torch", "--iterations", 2)
    assert result.exit_code == 1
    assert "BREACH" in result.stdout


def test_list_shows_the_remedy_for_a_missing_backend_in_full(monkeypatch):
    needs_a_library_that_nobody_has("jax", monkeypatch)
    assert 'pip install ".[jax]"' in call("list", "backends").stdout
