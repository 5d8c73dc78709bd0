"""The published experiments are asked for as published, and set beside the published figures."""

import importlib
import io
from pathlib import Path

import click
import pandas as pd
import pytest
from rich.console import Console

import normbench.papers
from normbench.cli.reproduce import command as reproduce
from normbench.cli.workers import given_workers
from normbench.papers.asgd.experiments import experiment1, experiment2
from normbench.papers.asgd.published import experiment2 as published_experiment2
from normbench.papers.asgd.tables import cells_frame, experiment1_cells, experiment2_cells, grid_table, list_table
from normbench.papers.experiments import EXPERIMENTS
from normbench.papers.neural_lander.errors import lander_table
from normbench.papers.published import table
from normbench.papers.runs import Setting, perceptron_layers
from normbench.papers.tables import frame_table

pytestmark = pytest.mark.quick


def text(table):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_depth_counts_weight_matrices():
    assert perceptron_layers(width=25, depth=4) == (12, 25, 25, 25, 3)


def test_experiment1_is_both_methods_at_their_published_iterations():
    runs = experiment1(Setting("quadrotor-sim", "jax", 2)).requests
    assert {(r.optimiser, r.iterations, r.seed) for r in runs} == {
        ("method1", 200, 0),
        ("method1", 200, 1),
        ("method2", 3000, 0),
        ("method2", 3000, 1),
    }
    assert {r.layers for r in runs} == {(12, 25, 30, 15, 3)}


def test_experiment2_has_a_run_for_every_published_cell():
    runs = experiment2(Setting("quadrotor-sim", "torch", 1)).requests
    cells = {(len(r.layers) - 1, r.layers[1]) for r in runs}
    assert cells == set(published_experiment2().index)
    assert len(runs) == 25


def test_experiment1_sets_measured_beside_published(make):
    records = [make(seed=s, train_rms=0.837 * 1.02, test_rms=0.834) for s in range(2)]
    records += [make("method2", seed=0, train_rms=0.848, test_rms=0.845, iterations=3000)]
    cells = experiment1_cells(records)

    assert [(c.name, c.quantity) for c in cells[:2]] == [("method1", "train RMS"), ("method1", "test RMS")]
    assert cells[0].difference == pytest.approx(0.02)
    assert cells[2].published_seconds == 54.416
    assert "+2.0 %" in text(list_table(cells, title="T"))


def test_table1_as_a_frame_holds_what_was_measured_and_what_was_published(make):
    records = [make(seed=s, train_rms=0.8 + 0.1 * s, seconds_train=3.0) for s in range(3)]
    frame = cells_frame(experiment1_cells(records)).set_index(["name", "quantity"])
    row = frame.loc[("method1", "train RMS")]
    assert row["measured_mean"] == pytest.approx(0.9)
    assert row["measured_sd"] == pytest.approx(0.1)
    assert (row["seeds"], row["seconds"], row["published_mean"]) == (3, 3.0, 0.837)
    assert frame.loc[("method2", "test RMS"), "seeds"] == 0


def test_any_small_frame_is_a_table_of_the_terminal():
    shown = text(frame_table(pd.DataFrame({"depth": [2, 16], "RMS": [0.12345, float("nan")]}), title="T"))
    assert "0.123" in shown
    assert "nan" not in shown


def test_experiment2_fills_the_grid_cell_by_cell(make):
    records = [make(layers=perceptron_layers(width=35, depth=12), train_rms=0.98, test_rms=0.97)]
    cells = experiment2_cells(records)
    measured = [c for c in cells if c.measured.count]

    assert len(cells) == 50
    assert {c.name for c in measured} == {"depth 12, width 35"}
    assert "0.980" in text(grid_table(cells, quantity="train RMS", title="T"))


def test_runs_without_a_result_are_shown_as_failures(make):
    cells = experiment1_cells([make(status="diverged", train_rms=float("nan"), test_rms=float("nan"))])
    assert cells[0].failures == 1


def test_the_neural_lander_table_shows_mean_deviation_and_ratio():
    shown = text(lander_table([(0.20, 0.22), (0.22, 0.24)], task="quadrotor-sim", simulated=True))
    assert "0.210 ± 0.014" in shown
    assert "0.965" in shown
    assert "SIMULATED" in shown


PAPERS = Path(normbench.papers.__file__).parent


@pytest.mark.parametrize("path", sorted(PAPERS.glob("*/*.csv")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_published_table_names_its_sources(path):
    assert table(path.parent.name, path.stem)["source"].notna().all()


def test_every_paper_has_a_published_table_and_an_experiment():
    folders = {path.parent.name for path in PAPERS.glob("*/__init__.py")}
    assert {path.parent.name for path in PAPERS.glob("*/*.csv")} == folders
    assert {entry.show.__module__.split(".")[-2] for entry in EXPERIMENTS} == folders


@pytest.mark.parametrize("entry", EXPERIMENTS, ids=lambda entry: entry.name)
def test_every_experiment_has_runs_or_jobs_for_every_seed(entry):
    setting = Setting(entry.tasks[0], entry.backends[0], 2)
    plan, jobs = entry.plan(setting), [] if entry.name == "agd-figure5" else entry.jobs(setting, [])
    seeds = [asked.seed for asked in plan.requests] + [getattr(job, "request", job).seed for job in jobs]
    assert set(seeds) == {0, 1}
    if entry.drawn_by:
        importlib.import_module(entry.drawn_by)


@pytest.mark.parametrize("entry", EXPERIMENTS, ids=lambda entry: entry.name)
def test_reproduce_has_a_command_for_it_with_the_options_that_it_needs(entry):
    options = {option.name for option in reproduce.commands[entry.name].params}
    choices = {"task", "data_dir"} if len(entry.tasks) > 1 else set()
    choices |= {"backend"} if len(entry.backends) > 1 else set()
    where = {option.name for option in click.command()(given_workers(lambda: None)).params}
    assert options == {"seeds"} | where | choices | ({"out"} if entry.keeps else set())
