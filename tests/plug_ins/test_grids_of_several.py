"""Grids whose values are several numbers each: declared or given, searched, stored, shown and made again."""

import re
import shlex

import numpy as np
import pytest

import normbench
from normbench.analysis.leaderboard import boards
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.campaigns.plan import sweep
from normbench.campaigns.settings import Settings
from normbench.errors import InvalidArgumentError
from normbench.presentation.commands import command
from normbench.presentation.labels import tuning_label
from normbench.records.frame import read_file, write_file
from normbench.records.plug_ins import declared
from normbench.records.record import Tuned
from normbench.records.schema import from_json
from normbench.records.store import Store
from normbench.running.request import Asked
from normbench.specs import Hyperparameter, plug_ins
from tests.changes import changed
from tests.cli.calls import call
from tests.plug_ins.test_optimisers import CALL

NADAM = "torch.optim:NAdam"
BETAS = ((0.8, 0.9), (0.8, 0.99), (0.9, 0.999))
GRIDS = ["--grid", "lr=0.01", "--grid", "betas=(0.9,0.999),(0.8,0.9),(0.8,0.99)", "--tune", "two"]


@pytest.mark.parametrize(
    "text",
    [
        "betas=(0.9,0.999),(0.8,0.9),(0.8,0.99)",
        f"{NADAM}.betas=[0.8, 0.9], (0.80,.99),(0.9, 0.999), [0.9,0.999],",
        *(f"betas={between.join(['(0.8,0.9)', '(0.8,0.99)', '(0.9,0.999)'])}" for between in (",", " , ")),
    ],
)
def test_each_value_stands_in_parentheses(text):
    assert Settings.read([], [text], [NADAM]).grids == {NADAM: {"betas": BETAS}}


@pytest.mark.parametrize(
    "value",
    ["0.9,0.999", "(0.9,0.999),0.8,0.9", "((0.9,0.999)", "(0.9,0.999)(0.8,0.9)", "(0.9,0.999);(0.8,0.9)", ",(0.8,0.9)"],
)
def test_what_could_be_misread_is_refused(value):
    with pytest.raises(
        InvalidArgumentError, match=rf"each in parentheses, such as .* in Python .*got {re.escape(repr(value))}"
    ):
        Settings.read([], [f"betas={value}"], [NADAM])


@pytest.mark.parametrize(
    ("value", "words"),
    [("()", r"betas must be numbers"), ("(0.9,fast)", "must be numbers .* got"), ("(0.9,nan)", "each number of betas")],
)
def test_each_value_is_checked(value, words):
    with pytest.raises(InvalidArgumentError, match=words):
        Settings.read([], [f"betas=(0.8,0.9),{value}"], [NADAM])
    with pytest.raises(
        InvalidArgumentError, match=r"grids gives betas of .* twice: \(0.8,0.9\) and \(0.8,0.9\),\(0.8,"
    ):
        Settings.read([], ["betas=(0.8,0.9)", "betas=(0.8,0.9),(0.8,0.99)"], [NADAM])


def test_a_declared_grid_has_the_values_that_runs_have():
    assert Hyperparameter("betas", (0.5, 0.5), 0.0, 1.0, grid=([0, 1], (0.5, 0.5))).grid == ((0.0, 1.0), (0.5, 0.5))
    with pytest.raises(InvalidArgumentError, match="each number of betas must lie in"):
        Hyperparameter("betas", (0.5, 0.5), 0.0, 1.0, grid=((0.5, 1.5),))


def searched(module, name, budget=None, tune=1):
    """The search of an optimiser whose first hyperparameter, or second, is one of several numbers."""
    module(
        "declares",
        "from normbench.specs import Hyperparameter, PlugIn\n"
        f"BETAS = Hyperparameter('betas', (0.9, 0.999), 0.0, 1.0, grid={BETAS!r})\n"
        "RATE = Hyperparameter('learning_rate', 0.1, 0.0, 9.0, grid=(0.1,))\n"
        "FIRST = PlugIn(title='x', factories={'torch': 'torch.optim:NAdam'}, hyperparameters=(BETAS,))\n"
        "SECOND = PlugIn(title='x', factories={'torch': 'torch.optim:NAdam'}, hyperparameters=(RATE, BETAS))\n",
    )
    asked = Asked(task="digits", layers=(64, 10), optimiser="", backend="", seed=0, iterations=2)
    plan = sweep(asked, optimisers=[name], backends=["torch"], seeds=(0,), tune=tune, tuning_budget=budget)
    [search] = plan.searches
    return search


def finds(record, best):
    """What finds trials whose error is smallest at these betas, and no other runs."""

    def find(request):
        if request.judged_on == "test":
            return None
        error = 1.0 + (request.hyperparameters["betas"] != best)
        return changed(record, test_rms=error, status="done")

    return find


@pytest.mark.parametrize("best", BETAS)
def test_all_values_are_tried_and_none_beyond(best, module, record):
    search = searched(module, "declares:FIRST")
    [(_, state)] = search.stages(finds(record, best))
    assert (state.tried, state.best) == (BETAS, best)
    assert set(search.chosen(finds(record, best)).values()) == {Tuned(9, 0.0, 2.0)}
    assert {run.hyperparameters["betas"] for run in search.chosen(finds(record, best))} == {best}


def test_a_second_of_several_numbers_begins_at_its_default(module, record):
    search = searched(module, "declares:SECOND", budget=6, tune=2)
    first, second = search.stages(finds(record, (0.8, 0.99)))
    assert (first.state.tried, second.state.tried) == ((0.1,), BETAS[1:])
    assert set(search.chosen(finds(record, (0.8, 0.99))).values()) == {Tuned(6, 0.1, 0.1, 3, 1.0, 2.0)}


@pytest.mark.usefixtures("in_this_process")
def test_a_search_is_stored_shown_kept_by_every_format_and_made_again(tmp_path):
    run = [*CALL, "--optimiser", NADAM, "--backend", "torch"]
    ended = call(*run, *GRIDS, "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    records, problems = Store.within(tmp_path).load_all()
    assert not problems
    judged = [record for record in records if record.request.judged_on == "test"]
    trials = {record.request.hyperparameters["betas"] for record in records if record not in judged}
    assert trials == set(BETAS)
    [chosen] = [record for record in judged if record.provenance.tuning_runs]
    made = chosen.provenance
    assert (made.tuning_runs, made.tuning_second_runs) == (9, 6)
    assert (made.tuning_second_low, made.tuning_second_high) == (0.0, 2.0)
    errors = {
        betas: np.mean(
            [r.outcome.test_rms for r in records if r not in judged and r.request.hyperparameters["betas"] == betas]
        )
        for betas in BETAS
    }
    assert chosen.request.hyperparameters["betas"] == min(errors, key=errors.get)
    assert declared(NADAM, made.plug_in).second.grid == BETAS
    assert from_json(chosen.to_json(), source="x") == chosen
    for ending in (".parquet", ".csv"):
        write_file(records, tmp_path / f"records{ending}")
        assert {read.record_id: read for read in read_file(tmp_path / f"records{ending}")} == {
            record.record_id: record for record in records
        }
    [board] = boards(records)
    row = next(row for row in board.optimisers if row.tuning.cost)
    said = ",".join(map(str, chosen.request.hyperparameters["betas"]))
    assert tuning_label(row).startswith(f"best of 9: 0.01, betas {said}")
    assert not row.tuning.second.on_edge
    assert learning_rate_sensitivity(records).empty
    again = command(row, board)
    assert "--grid 'betas=(0.8,0.9),(0.8,0.99),(0.9,0.999)'" in again
    assert "--tune two" in again
    # the same by the words of the board, of Python and of a campaign file makes nothing anew
    plug_ins._known.clear()
    shell = shlex.split(again)
    assert call(*shell[1:], "--jobs", 1, "--out", tmp_path).exit_code == 0
    for grid in ([(0.9, 0.999), (0.8, 0.9), [0.8, 0.99]], np.array(BETAS)):
        plug_ins._known.clear()
        normbench.run(
            (),
            NADAM,
            "torch",
            seeds=1,
            grids={NADAM: {"lr": 0.01, "betas": grid}},
            tune="two",
            layers=(12, 4, 3),
            iterations=3,
            jobs=1,
            out=tmp_path,
            progress=False,
        )
    plug_ins._known.clear()
    file = tmp_path / "mine.toml"
    file.write_text(
        f'[[runs]]\nlayers = "12,4,3"\niterations = 3\nseeds = 1\nbackend = "torch"\ntune = "two"\n'
        f'optimiser = "{NADAM}"\n'
        'grid = ["lr=0.01", "betas=(0.8,0.9),(0.8,0.99),(0.9,0.999)"]\n'
    )
    ended = call("run", file, "--jobs", 1, "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert len(Store.within(tmp_path).load_all()[0]) == len(records)
    # every board and file of it can be made
    for form in ("table", "md", "json", "csv"):
        shown = call("leaderboard", "--out", tmp_path, "--format", form)
        assert shown.exit_code == 0, shown.output
    assert call("report", "--out", tmp_path).exit_code == 0
    with pytest.raises(InvalidArgumentError, match=r"each in parentheses, such as .* in Python a list of tuples"):
        normbench.run((), NADAM, "torch", grids={"betas": (0.9, 0.999)}, out=tmp_path, progress=False)
