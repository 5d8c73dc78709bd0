"""``normbench run --data``: a table of the user's is a task like the others, known by its content and columns."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from normbench.analysis.leaderboard import boards
from normbench.data import kept_tables
from normbench.presentation.commands import command
from normbench.problems import tasks
from normbench.records.store import RECORDS, Store
from tests.cli.calls import call
from tests.estimators.tables import flights, rings
from tests.this_process import in_this_process  # noqa: F401

X, Y = flights(samples=80)
ROWS = pd.DataFrame(np.concatenate([X, Y], axis=1), columns=["a", "b", "c", "d", "fx", "fz"]).assign(
    flight=np.repeat(list("pqrs"), 20), t=np.arange(80) * 0.5
)
COLUMNS = ["--inputs", "a,b,c,d", "--outputs", "fx,fz"]
TINY = ["--iterations", 2, "--backend", "reference", "--jobs", 1, "--seeds", 1, "--optimiser", "geodesic_lbfgs"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def table(tmp_path):
    (tmp_path / "first").mkdir()
    ROWS.to_csv(tmp_path / "first" / "wind tunnel.csv", index=False)
    return tmp_path / "first" / "wind tunnel.csv"


def run(*arguments, code=0):
    result = call("run", *arguments, *TINY)
    assert result.exit_code == code, result.output
    return result


def records(out):
    found, problems = Store(out / RECORDS).load_all()
    assert problems == []
    return found


def key_of(result):
    return result.stderr.partition(", task ")[2].partition(",")[0]


@pytest.mark.usefixtures("in_this_process")
def test_a_table_is_a_task_with_a_board_that_needs_no_original(table, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "second" / table.name
    arguments = [*COLUMNS, "--group", "flight", "--time", "t", "--unit", "N", "--lipschitz", 20, "--out", out]
    first = run("--data", table, *arguments)
    [record] = records(out)
    task = record.request.task
    assert task.startswith("wind-tunnel@")
    assert (record.request.split, record.outcome.unit, record.provenance.simulated) == ("grouped", "N", False)
    assert record.outcome.lipschitz_certificate <= 20.0
    assert f"{task} (your data), network 4-25-30-15-2, grouped split, L = 20, RMS in N" in first.stdout
    assert "Your data." in first.stdout
    elsewhere.parent.mkdir()
    shutil.move(table, elsewhere)
    again = run("--data", elsewhere, *arguments)
    assert records(out) == [record]  # made at the same second: not made again
    assert again.stdout == first.stdout
    elsewhere.unlink()
    assert run("--task", task, *arguments[-4:]).stdout == first.stdout
    assert call("leaderboard", "--out", out).stdout == first.stdout
    [board] = boards([record])
    assert command(board.optimisers[0], board).startswith(f"normbench run --task {task} --optimiser geodesic_lbfgs")
    assert call("compare", out, out).exit_code == 0
    assert f"{task} " in call("list", "tasks").stdout
    listed = [json.loads(line) for line in call("list", "data", "--format", "json").stdout.splitlines()]
    assert (listed[-1]["data"], listed[-1]["splits"]) == (task, "random, blocked, grouped")
    assert f"name:         {task} (your)" in call("data", "info", task).stdout
    assert "ok" in call("data", "verify", task).stdout
    shutil.rmtree(tmp_path / "cache" / kept_tables.FOLDER)
    kept_tables._about.cache_clear()
    gone = call("leaderboard", "--out", out)
    assert gone.stdout == first.stdout
    assert gone.stderr == f"1 record of the task {task!r}, not known to this normbench.\n"
    refused = run("--task", task, "--out", out, code=2)
    assert f"no table {task!r} of yours is kept here" in refused.stderr
    assert "Give it again: normbench run --data" in refused.stderr


def kept(path, *arguments):
    """The key of a table, without a run: the seed's split is refused last."""
    result = call("run", "--data", path, *arguments, *TINY, "--batch-size", 10**6)
    assert result.exit_code == 2, result.output
    return key_of(result)


def test_a_key_is_of_content_and_columns_and_nothing_else(table, tmp_path):
    usual = kept(table, *COLUMNS)
    np.savez(
        tmp_path / "wind tunnel.npz",
        **{name: ROWS[name].to_numpy(dtype=float) for name in "abcd"},
        fx=Y[:, 0],
        fz=Y[:, 1],
    )
    assert kept(tmp_path / "wind tunnel.npz", *COLUMNS) == usual
    ROWS.rename(columns={"a": "alpha"}).assign(b=ROWS["b"].replace(ROWS["b"][3], 0.5)).to_csv(
        tmp_path / "wind tunnel.csv"
    )
    others = [
        kept(table, "--inputs", "b,a,c,d", "--outputs", "fx,fz"),
        kept(table, "--inputs", "a,b,c,d", "--outputs", "fx"),
        kept(tmp_path / "wind tunnel.csv", "--inputs", "alpha,b,c,d", "--outputs", "fx,fz"),
        kept(table, *COLUMNS, "--unit", "N"),
        kept(table, *COLUMNS, "--group", "flight"),
        kept(table, *COLUMNS, "--time", "t"),
        kept(table, *COLUMNS, "--scale-inputs"),
    ]
    renamed = ROWS.rename(columns={"a": "alpha"})
    renamed.to_csv(tmp_path / "wind tunnel.csv", index=False)
    others.append(kept(tmp_path / "wind tunnel.csv", "--inputs", "alpha,b,c,d", "--outputs", "fx,fz"))
    assert len({usual, *others}) == 9
    assert {key.partition("@")[0] for key in others} == {"wind-tunnel"}
    assert [tasks.get(key).split for key in others[4:6]] == ["grouped", "blocked"]
    assert [table.key for table in kept_tables.every()] == sorted({usual, *others})


def test_scaled_inputs_are_of_one_size_and_small_ones_are_remarked(table, tmp_path):
    small = ROWS.assign(c=ROWS["c"] * 1e-3)
    small.to_csv(tmp_path / "t.csv", index=False)
    arguments = ["--data", tmp_path / "t.csv", *COLUMNS, *TINY, "--batch-size", 10**6]
    assert "Note: of" in (said := call("run", *arguments).stderr)
    assert "t.csv, c are less than a hundredth of the largest input" in " ".join(said.split())
    scaled = call("run", *arguments, "--scale-inputs")
    assert "Note: " not in scaled.stderr
    inputs = tasks.get(key_of(scaled)).dataset().inputs
    np.testing.assert_allclose(np.square(inputs).mean(axis=0), 1.0)
    np.testing.assert_allclose(inputs[:, 2] / inputs[0, 2], small["c"] / small["c"][0])


@pytest.mark.usefixtures("in_this_process")
def test_several_tables_and_classes_are_tasks_side_by_side(table, tmp_path):
    out, (x, y) = tmp_path / "out", rings(samples=60)
    np.savez(tmp_path / "rings.npz", x=x, ring=y)
    arguments = ["--data", table, "--data", tmp_path / "rings.npz", "--unit", "N", "--out", out]
    run(*arguments, "--inputs", "a,b", "--inputs", "x", "--outputs", "fx", "--outputs", "ring", "--task", "digits")
    found = {record.request.task.partition("@")[0]: record for record in records(out)}
    assert found.keys() == {"digits", "rings", "wind-tunnel"}
    assert (found["rings"].request.layers[0], found["rings"].request.layers[-1]) == (2, 3)
    assert found["rings"].outcome.train_accuracy is not None
    assert [found[name].outcome.unit for name in ("rings", "wind-tunnel")] == ["probability", "N"]
    assert {record.request.split for record in found.values()} == {"random"}


def test_a_damaged_table_is_made_again_from_the_original(table):
    key = kept(table, *COLUMNS)
    path = kept_tables.path_of(key)
    sound = path.read_bytes()
    arrays = dict(np.load(path))
    arrays["inputs"][3, 0] += 1e-9
    np.savez(path, **arrays)
    refused = call("run", "--task", key, *TINY)
    assert (refused.exit_code, "is damaged. Delete it, and give the table again" in refused.stderr) == (1, True)
    assert call("data", "verify", key).exit_code == 1
    for damage in (path.read_bytes(), b"", sound[:300]):
        path.write_bytes(damage)
        kept_tables._about.cache_clear()
        assert kept(table, *COLUMNS) == key
        assert {name: array.tolist() for name, array in np.load(path).items()} == {
            name: array.tolist() for name, array in (arrays | {"inputs": X}).items()
        }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--inputs", "a"],
            2,
            "columns are named, and no table. Name it, too, by --data, with --inputs and --outputs.",
        ),
        (["--data", "T", "--inputs", "a"], 2, "needs --outputs: the names of the columns that they are"),
        (["--data", "T", "--data", "T", "--data", "T", *COLUMNS, *COLUMNS], 2, "3 tables and 2 times --inputs"),
        (
            ["--data", "T", *COLUMNS, "--inputs", "b"],
            2,
            "--inputs is given 2 times. Give it once, with all names of col",
        ),
        (["--data", "T", "--inputs", "e", "--outputs", "fx"], 2, "has no column 'e'"),
        (["--data", "T", "--inputs", "flight", "--outputs", "fx"], 1, "column 'flight', row 1: 'p' is no number"),
        (["--data", "T", *COLUMNS, "--split", "grouped"], 2, "needs samples of several groups, and those of data set"),
        (["--data", "T", *COLUMNS, "--split", "blocked"], 2, "blocked split needs the times of the samples"),
        (["--data", "T", "--inputs", "z", "--outputs", "fx"], 1, "1 input samples of zero norm, first at row 5"),
        (["--data", "gone.csv", *COLUMNS], 2, "there is no file gone.csv"),
        (["--task", "gone@01234567"], 2, "no table 'gone@01234567' of yours is kept here"),
        (["--task", "gone"], 2, "'gone' is not one of"),
    ],
)
def test_what_is_no_task_is_one_error(table, arguments, code, message, tmp_path):
    ROWS.assign(z=np.arange(80) - 5.0).to_csv(table, index=False)
    result = run(*[table if word == "T" else word for word in arguments], "--out", tmp_path / "out", code=code)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
