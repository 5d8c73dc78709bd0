"""The command line in Python: the same runs, boards that show themselves, and one clear error for what is wrong."""

import builtins
import contextlib
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rich.console
from distributed import Client, LocalCluster

import normbench
from normbench.api import run
from normbench.calls import _address
from normbench.errors import InvalidArgumentError
from normbench.records.frame import from_frame, to_frame
from tests.changes import changed
from tests.cli.calls import call
from tests.pages import ROOT, same_output, snippets
from tests.this_process import in_this_process, without_workers  # noqa: F401

SMALL = {"layers": (12, 4, 3), "iterations": 3, "seeds": 2, "tune": "none", "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def records(folder):
    with pytest.MonkeyPatch.context() as patch:
        without_workers(patch)
        return run("quadrotor-sim", ["adam", "sgd"], "torch", lipschitz=[5, 20], out=folder, **SMALL)


def test_it_makes_the_runs_of_the_command_line(records, folder):
    """The same identities: the command finds them, and makes nothing."""
    assert len(records) == 8
    assert records.status.eq("done").all()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    named = ["--optimiser", "adam", "--optimiser", "sgd", "--backend", "torch", "--lipschitz", "5", "--lipschitz", "20"]
    small = ["--layers", "12,4,3", "--iterations", "3", "--seeds", "2", "--tune", "none", "--out", folder]
    assert call("run", *named, *small).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")} == before
    assert {path.stem for path in before} == set(records.record)
    pd.testing.assert_frame_equal(normbench.load_records(folder), records)


def test_in_a_notebook_the_text_of_a_board_is_a_text(records, monkeypatch):
    """Rich takes a notebook's kernel for a console of its own, and would show there what is asked for as a text."""
    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr(builtins, "get_ipython", lambda: kernel, raising=False)
    assert rich.console.Console().is_jupyter
    assert "default 0.001" in repr(normbench.leaderboard(records))
    assert "adam" in repr(normbench.plot_frontier(records))


def test_a_board_shows_itself(records, folder):
    board = normbench.leaderboard(records)
    shown = board._repr_html_()
    cells = {html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", shown)}
    assert {"adam", "sgd", "zero", "default 0.001, spectral"} <= cells
    assert (shown.count("<table>"), shown.count("SIMULATED data")) == (2, 2)
    assert "\x1b" not in str(board)
    assert "default 0.001" in str(board)
    assert set(board.frame.optimiser) == {"adam", "sgd", "zero", "mean", "linear"}
    pd.testing.assert_frame_equal(normbench.leaderboard(str(folder)).frame, board.frame)
    one = normbench.leaderboard(records[records.optimiser == "sgd"])
    assert set(one.frame.optimiser) == {"sgd", "zero", "mean", "linear"}


def test_a_run_counts_once_in_tables_that_were_put_together(records):
    """Two calls that overlap give some runs twice; as seeds of their own they would look more certain."""
    board = normbench.leaderboard(records)
    for tables in ([records, records], [records[records.lipschitz == 5], records]):
        together = pd.concat(tables).sample(frac=1, random_state=0)
        pd.testing.assert_frame_equal(normbench.leaderboard(together).frame, board.frame)
    again = [changed(record, created="2020-01-01T00:00:00+00:00") for record in from_frame(records, source="records")]
    with pytest.raises(InvalidArgumentError, match=r"has the run \w{32} twice, and the two differ. Keep one"):
        normbench.leaderboard(pd.concat([records, to_frame(again)]))


def test_a_frontier_shows_itself(records):
    frontier = normbench.plot_frontier(records)
    assert frontier._repr_html_().startswith("<svg")
    assert "adam" in frontier.frame.to_csv()
    assert "adam" in str(frontier)
    with pytest.raises(InvalidArgumentError, match="no task with several bounds"):
        normbench.plot_frontier(records[records.lipschitz == 5])


@pytest.mark.usefixtures("in_this_process")
def test_classes_and_values_are_given_as_they_are(tmp_path):
    import torch

    values = {torch.optim.NAdam: {"weight_decay": np.float64(0.123456789), "decoupled_weight_decay": np.True_}}
    more = SMALL | {"seeds": 1}
    found = run("quadrotor-sim", torch.optim.NAdam, "torch", hyperparameters=values, out=tmp_path, **more)
    assert list(found.optimiser) == ["torch.optim.nadam:NAdam"]
    assert '"weight_decay": 0.123456789' in found.hyperparameters[0]
    assert '"decoupled_weight_decay": "true"' in found.hyperparameters[0]


@pytest.mark.usefixtures("in_this_process")
def test_generators_and_numbers_of_numpy_are_what_they_hold(tmp_path):
    """A generator of tasks was used up by its check, so that the default tasks were run."""
    asked = {"iterations": np.int32(2), "batch_size": np.int64(8), "seeds": np.array(1), "lipschitz": np.array(5.0)}
    found = run(
        (task for task in ["digits"]),
        (key for key in ["adam", "sgd"]),
        (backend for backend in ["reference"]),
        layers=(width for width in np.array([64, 4, 10])),
        hyperparameters={"adam": {"lr": 0.1}, "lr": 0.3},  # one of its own counts, wherever it stands
        tune="none",
        jobs=1,
        out=tmp_path,
        progress=False,
        **asked,
    )
    assert set(zip(found.task, found.optimiser, found.backend, strict=True)) == {
        ("digits", "adam", "reference"),
        ("digits", "sgd", "reference"),
    }
    rates = {row.optimiser: json.loads(row.hyperparameters)["learning_rate"] for row in found.itertuples()}
    assert rates == {"adam": 0.1, "sgd": 0.3}
    assert set(found.batch_size) == {8}
    assert len(normbench.load_records(tmp_path)) == 2


class Here:
    """What processes cannot import, were its module the program."""


Here.__module__ = "__main__"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tasks": "nothing"}, "no task 'nothing'"),
        ({"tasks": 3}, "tasks are named by text; got 3"),
        ({"optimisers": "adamm"}, "no optimiser 'adamm'. Did you mean 'adam"),
        ({"optimisers": Here}, "cannot import 'Here' of '__main__'"),
        ({"optimisers": 3}, "an optimiser is .*; got 3"),
        ({"backends": "numpy"}, "no backend 'numpy'"),
        ({"lipschitz": -1}, "lipschitz must be positive and finite; got -1"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [0, -1]}, "seeds must be an integer of at least 0; got -1"),
        ({"seeds": ()}, "seeds is empty"),
        ({"seeds": "3"}, "seeds must be"),
        ({"shard": "3/2"}, "shard takes I/N"),
        ({"jobs": 0}, "jobs must be"),
        ({"scheduler": 3}, "scheduler takes an address such as .*; got 3"),
        ({"scheduler": "tcp://here:1", "cluster": "a.yaml"}, "either scheduler"),
        ({"layers": (12, 4)}, "layers 12,4 does not fit"),
        ({"iterations": "many"}, "iterations must be"),
        ({"iteration": 3}, "no argument 'iteration'. Did you mean 'iterations'"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"tune": "all"}, "tune must be one of none, one, two; got 'all'"),
        ({"hyperparameters": {"speed": 1}}, "has no hyperparameter 'speed'"),
        ({"hyperparameters": [1]}, "hyperparameters must be a mapping"),
        ({"hyperparameters": {"lr": 0.1, "learning_rate": 0.2}}, "learning_rate of adam twice: 0.1 and 0.2"),
        ({"tasks": b"digits"}, "tasks are named by text; got b'digits'"),
        ({"backends": 3}, r"got 3. Example: backends=\['torch'\]"),
        ({"seeds": [10**30]}, r"seed must be below 2\^63"),
        ({"iterations": 2**63}, r"iterations must be below 2\^63"),
        ({"layers": 12}, "layers must be widths, input first; got 12"),
        ({"layers": "12,4,3"}, "layers must be widths, input first; got '12,4,3'"),
        *(
            ({"layers": None, "width": 4, "depth": 2} | {name: value}, f"{name} must be an integer of at least 1; got")
            for name in ("width", "depth")
            for value in (0, 1.5, "4", True)
        ),
        ({"tuning_budget": "5"}, "tuning_budget must be an integer"),
        *(
            ({name: value}, f"{name} must be True or False; got {value!r}")
            for name in ("choose_bound", "keep_networks", "progress")
            for value in ("yes", 1)
        ),
        *(
            ({name: value}, f"{name} must be a path, as text or a pathlib.Path; got")
            for name in ("out", "data_dir", "cluster")
            for value in (3, b"x", "a\0b", pd.DataFrame({"a": [1, 2]}))
        ),
        ({"grids": {"lr": [0.1]}}, "is declared"),
    ],
)
@pytest.mark.usefixtures("in_this_process")
def test_a_wrong_call_is_one_clear_error(arguments, said, tmp_path):
    usual = {"tasks": "quadrotor-sim", "optimisers": "adam", "backends": "torch", "out": tmp_path} | SMALL
    with pytest.raises(InvalidArgumentError, match=said):
        run(**usual | arguments)
    assert not list(tmp_path.rglob("*.json"))


def test_a_scheduler_is_given_by_its_address_or_what_dask_has_connected_to_it():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        found = {_address(given) for given in (cluster, client, cluster.scheduler_address)}
    assert len(found) == 1
    assert found.pop().startswith("inproc://")
    assert _address(Path("scheduler.json")) == "scheduler.json"
    assert _address(None) is None


@pytest.mark.parametrize(
    ("records", "said"),
    [(3, "must be a DataFrame"), ("no_such_folder", "no records in"), (pd.DataFrame({"a": [1]}), "no table of rec")],
)
def test_what_holds_no_records_is_refused(records, said):
    with pytest.raises(ValueError, match=said):
        normbench.leaderboard(records)


@pytest.mark.usefixtures("in_this_process")
def test_the_page_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    found = list(snippets("python", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), 1))
    assert len(found) == 3
    for snippet in found:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            exec(compile(snippet.code, "python.md", "exec"), space)
        assert same_output(text.getvalue(), snippet.output), text.getvalue()
