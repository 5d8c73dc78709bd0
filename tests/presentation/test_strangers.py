"""Records of other optimisers, tasks, machines and libraries: named, never merged into one time, never dropped."""

import re

import pytest
from click.testing import CliRunner

from normbench.analysis.compare import compare
from normbench.analysis.leaderboard import boards
from normbench.analysis.selection import known, strange
from normbench.cli import main
from normbench.presentation import exports
from normbench.presentation.captions import captions, remarks
from normbench.presentation.changes import METRICS
from normbench.records.store import Store
from tests.changes import changed

STRANGE = {
    "optimiser": {"optimiser": "hyperball"},
    "backend": {"backend": "mlx"},
    "hyperparameter more": {"hyperparameters": {"learning_rate": 0.001, "momentum": 0.9, "nesterov": 1}},
    "hyperparameter less": {"hyperparameters": {}},
    "hyperparameter out of range": {"hyperparameters": {"learning_rate": -1.0}},
    "hyperparameter of another type": {"hyperparameters": {"learning_rate": "high"}},
}


@pytest.fixture(params=STRANGE)
def stranger(request, make):
    return changed(make("adam", task="neural-fly"), **STRANGE[request.param])


def test_a_stranger_is_no_row_and_is_named(stranger, make):
    records = [make("adam"), stranger]
    assert strange(stranger)
    assert known(records) == records[:1]
    [remark] = remarks(records)
    assert remark.startswith("1 record of ")
    assert strange(stranger) in remark
    assert len(boards(records)) == 1


@pytest.mark.parametrize(
    "command", [["leaderboard"], ["leaderboard", "--format", "json"], ["compare"], ["report"], ["records", "import"]]
)
def test_every_command_names_strangers_and_unknown_tasks(make, tmp_path, command):
    store = Store(tmp_path / "a" / "records")
    for record in (make("adam"), changed(make("agd"), optimiser="hyperball"), make("agd", task="glider")):
        store.write(changed(record, curves=record.outcome.curves.__class__()))
    folder = ["--out", str(tmp_path / "a")]
    if command == ["compare"]:
        folder = [str(tmp_path / "a")] * 2
    if command == ["records", "import"]:
        runs = str(tmp_path / "runs.csv")
        assert CliRunner().invoke(main, ["records", "export", runs, *folder]).exit_code == 0
        folder = [runs, "--out", str(tmp_path / "b")]
    result = CliRunner().invoke(main, [*command, *folder])
    assert result.exit_code == 0, result.output
    assert "1 record of the optimiser 'hyperball'" in result.stderr
    assert "1 record of the task 'glider'" in result.stderr


def on(record, **environment):
    return changed(record, environment=record.provenance.environment | environment)


@pytest.mark.parametrize(
    "what", [{"cpu": "Other"}, {"pandas": "9.9"}, {"torch": "9.9"}, {"jobs": "9"}, {"gpu": "H100"}]
)
def test_times_are_of_one_environment(make, what):
    here = [make(seed=k, seconds_train=1.0, seconds_per_iteration=0.01, seconds_compile=0.1) for k in range(3)]
    there = [
        on(make(seed=k, seconds_train=9.0, seconds_per_iteration=0.09, seconds_compile=0.9), **what) for k in (3, 4)
    ]
    [board] = boards([*here, *there])
    row = board.rows[0]
    assert (row.seconds_per_run, row.ms_per_iteration) == pytest.approx((1.0, 10.0))
    assert (len(row.timed), row.runs) == (3, 5)
    assert exports.flat(board)[0]["seconds_compile"] == pytest.approx(0.1)
    [(name, value)] = what.items()
    [note] = [note for note in captions(board) if "more than one environment" in note]
    assert re.search(rf"{name} .*{value}", note)
    assert "method1 (torch, none): 3 of 5 runs" in note
    assert exports.flat(board)[0]["timed_runs"] == 3


def test_threads_are_part_of_the_environment_and_a_note_is_not(make):
    runs = [make(seed=0), changed(make(seed=1), threads=7)]
    assert len(boards(runs)[0].rows[0].timed) == 1
    noted = [make(seed=0), on(make(seed=1), rekeyed="made by x: y")]
    assert len(boards(noted)[0].rows[0].timed) == 2
    assert not any("environment" in note for note in captions(boards(noted)[0]))


@pytest.mark.parametrize(("devices", "said"), [(1, "1 thread per run"), (2, "1 thread per device of a run")])
def test_threads_are_those_of_every_device(make, devices, said):
    [board] = boards([changed(make(), devices=devices)])
    assert any(note.endswith(f"{said}.") for note in captions(board))


def test_rows_of_one_environment_each_are_said_to_differ(make):
    runs = [make(seed=0), on(make("agd", seed=0), cpu="Other")]
    [note] = [note for note in captions(boards(runs)[0]) if "environment" in note]
    assert "Times" not in note


def test_compare_says_where_the_clocks_differ(make):
    old, new = [make(seed=0)], [on(make(seed=0), cpu="Other")]
    assert compare(old, old, metrics=METRICS)[0][0].same_clock
    assert not compare(old, new, metrics=METRICS)[0][0].same_clock


HOSTILE = ("<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "a|b", "**b**", "`c`", "line\nbreak", "&lt;")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["task", "split", "unit", "device", "dtype", "schedule"])
def test_no_field_writes_markdown(make, field, text):
    found = exports.markdown(boards([make(**{field: text})]))
    shown = "\n".join(line for line in found.splitlines() if not line.startswith("- `"))  # commands are code
    assert "<img" not in shown
    assert not re.search(r"(?<!\\)\[x(?<!\\)\]", shown)
    assert "**b**" not in shown
    assert not re.search(r"(?<!\\)`c", shown)
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "@SUM(A1)", "\t=1", "-2+3"])
def test_no_field_is_a_formula_in_csv(make, text):
    table = exports.csv(boards([make(unit=text, task=text, schedule=text)]))
    assert f"'{text}" in table
    assert not re.search(rf"(^|,){re.escape(text)}", table, flags=re.MULTILINE)
