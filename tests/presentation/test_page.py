"""What stands on the page, before any browser: data for the charts, words, sizes, and the same text every time."""

import importlib
import json
import math
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from normbench.analysis.leaderboard import boards
from normbench.cli.report import command
from normbench.errors import InvalidArgumentError
from normbench.papers.runs import perceptron_layers
from normbench.presentation.charts.base import ticks
from normbench.presentation.compact import script_json, significant
from normbench.presentation.page import report_page
from normbench.presentation.page.backends import backend_pairs
from normbench.presentation.page.bounds import rms_range
from normbench.presentation.page.cells import cell, lines
from normbench.presentation.page.curves import learning_curves, thinned
from normbench.presentation.page.figures import backends
from normbench.presentation.page.heatmaps import grids
from normbench.presentation.page.reaching import common_problems, common_solvers
from normbench.presentation.page.ways import sections
from normbench.presentation.palette import BACKGROUNDS, series
from normbench.presentation.quantities import QUANTITIES
from normbench.records.frame import write_file
from normbench.records.store import Store
from normbench.running.result import Curves
from normbench.specs import SPECS
from tests.anew import imported_anew
from tests.changes import changed


def with_curve(make, rms, **changes):
    """A record whose training RMS went through those values, with a clock and counts."""
    done = len(rms) - 1
    curves = Curves(
        loss=tuple(v**2 for v in rms),
        test_iterations=(0, done),
        test_loss=(rms[0] ** 2, rms[-1] ** 2),
        seconds=(0.0, float(done)),
        loss_evaluations=tuple(range(1, done + 2)),
        gradient_evaluations=tuple(range(1, done + 2)),
    )
    figures = {"curves": curves, "train_rms": rms[-1], "train_loss": rms[-1] ** 2, "iterations_done": done}
    return make(**(figures | changes))


def section_of(records):
    [section] = sections(boards(records))
    return section


def test_the_same_records_in_any_order_make_the_same_page(make):
    records = [with_curve(make, [1.2, 1.0, 0.9], seed=seed, backend=b) for seed in range(2) for b in ("torch", "jax")]
    records += [with_curve(make, [1.2, 1.1, 1.0], seed=seed, optimiser="agd") for seed in range(2)]
    assert report_page(records) == report_page(records[::-1])


def test_a_page_needs_records(make):
    with pytest.raises(InvalidArgumentError, match="at least one record"):
        report_page([])


def test_one_record_makes_a_page(make):
    assert "12-25-30-15-3" in report_page([make()])


@pytest.mark.parametrize("linear", [{}, {"linear": {"train": 0.0, "test": 0.5}}], ids=["no fit", "without error"])
def test_a_task_without_a_linear_fit_to_hold_runs_against_is_on_a_page_with_others(linear, make):
    """Of tokens there is none, and of fewer rows than columns one without error, which no run reaches."""
    figures = {"zero": {"train": 1.0, "test": 1.0}, "mean": {"train": 1.0, "test": 1.0}} | linear
    runs = [
        with_curve(make, [1.2, 1.0], optimiser=key, layers=layers, **changes)
        for key in ("method1", "agd")
        for layers, changes in (((12, 5, 3), {}), ((12, 6, 3), {"predictors": figures}))
    ]
    assert "<html" in report_page(runs)


@pytest.mark.parametrize("others", [(), (3.0,)])
def test_errors_of_zero_make_a_page(others, make):
    """Of one class every prediction is right: no logarithmic axis holds that."""
    nothing = {name: {"train": 0.0, "test": 0.0} for name in ("zero", "mean", "linear")}
    found = dict(zip(("method1", "agd"), (0.0, *others), strict=False))
    runs = [make(key, test_rms=rms, train_rms=rms, predictors=nothing) for key, rms in found.items()]
    assert "<html" in report_page(runs)
    low, high = rms_range(section_of(runs), "test")
    assert 0.0 < low < high
    assert len(ticks((low, high))) > 1
    assert ticks((low, low)) == [low]


def test_a_mean_curve_has_the_spread_over_seeds(make):
    runs = [with_curve(make, [1.2, 1.0, 0.8], seed=0), with_curve(make, [1.4, 1.2, 0.9], seed=1)]
    [curve] = learning_curves(section_of(runs))
    assert curve["iterations"] == [1, 2]
    assert curve["mean"] == pytest.approx([1.1, 0.85])
    assert curve["high"][0] - curve["mean"][0] == pytest.approx(np.std([1.0, 1.2], ddof=1), rel=1e-3)
    assert (curve["seconds"], curve["loss_evaluations"]) == ([1, 2], [2, 3])


def test_a_stalled_run_keeps_its_level_and_a_diverged_one_is_left_out(make):
    runs = [
        with_curve(make, [1.2, 1.0, 0.8], seed=0),
        with_curve(make, [1.2, 1.0], seed=1, status="stalled"),
        with_curve(make, [1.2, 9.0, 99.0], seed=2, status="diverged", train_rms=math.nan),
    ]
    [curve] = learning_curves(section_of(runs))
    assert curve["mean"] == pytest.approx([1.0, 0.9])


@pytest.mark.parametrize("last", [1, 2, 200, 3000])
def test_thinned_curves_keep_both_ends_and_stay_small(last):
    chosen = thinned(last)
    assert (chosen[0], chosen[-1]) == (1, last)
    assert len(chosen) <= 90
    assert (np.diff(chosen) > 0).all()


def test_labels_tell_rows_apart(make):
    runs = [
        make("adam", 1e-3),
        make("adam", 1e-2, tuning_runs=5),
        make("method1"),
        make("method1", hyperparameters=make().request.hyperparameters | {"order": 3}),
        make("agd", iterations=200),
        make("agd", iterations=300),
    ]
    labels = {way.label for way in section_of(runs).ways}
    assert labels == {"adam default", "adam tuned", "method1", "method1 order 3", "agd 200 it.", "agd 300 it."}


def test_backends_are_compared_seed_by_seed(make):
    torch = [with_curve(make, [1.2, 1.0, 0.8], seed=seed, test_rms=0.8) for seed in range(3)]
    jax = [with_curve(make, [1.2, 1.0, 0.8], seed=seed, backend="jax", test_rms=0.8) for seed in range(2)]
    planted = with_curve(make, [1.2, 1.1, 0.808], seed=2, backend="jax", test_rms=0.84)
    [agreed] = backend_pairs(section_of([*torch, *jax]))
    [found] = backend_pairs(section_of([*torch, *jax, planted]))
    assert (agreed.pairs, agreed.curve, agreed.train, agreed.test) == (2, 0.0, 0.0, 0.0)
    assert (found.backends, found.pairs) == (("torch", "jax"), 3)
    assert (found.curve, found.train, found.test) == pytest.approx((0.21, 0.01, 0.05))


def test_rows_of_several_backends_are_one_line_that_shows_what_differs(make):
    runs = [make(seed=seed, backend=b, test_rms=rms) for seed in (0, 1) for b, rms in (("torch", 0.8), ("jax", 0.81))]
    alone = [make(seed=seed, dtype="float64", backend="jax", test_rms=0.9) for seed in (0, 1)]
    first, second, *others = lines(section_of([*runs, *alone]))
    assert (first.way.backend, [twin.way.backend for twin in first.twins]) == ("torch", ["jax"])
    assert (second.way.backend, second.twins) == ("jax float64", ())
    assert all(line.way is None for line in others)
    shown = {q.name: cell(q, first.row, [twin.row for twin in first.twins]) for q in QUANTITIES}
    assert shown["where"].text == "torch, jax"
    assert shown["test_rms"].text.startswith("0.800")
    assert any(remark.startswith("jax 0.810") for remark in shown["test_rms"].remarks)
    assert any(remark.startswith("jax 2") for remark in shown["rank"].remarks)
    assert shown["failures"].remarks == ()


def test_precision_and_hyperparameters_are_not_compared_with_others(make):
    runs = [
        make("fromage", 0.01),
        make("fromage", 0.1, backend="jax", tuning_runs=5),
        make(dtype="float64"),
        make(backend="jax"),
    ]
    assert backend_pairs(section_of(runs)) == []


def test_heat_maps_hold_measured_beside_published(make):
    runs = [
        make(layers=perceptron_layers(width=25, depth=4), backend="jax", seed=s, test_rms=0.8 + 0.02 * s)
        for s in (0, 1)
    ]
    [grid] = grids(sections(boards(runs)))
    cells = {(v["source"], v["quantity"]): v["mean"] for v in grid.values() if (v["depth"], v["width"]) == (4, 25)}
    assert (grid.networks, len(grid.runs), grid.board.simulated) == (1, 2, True)
    assert (cells["measured", "test RMS"], cells["published", "test RMS"]) == (0.81, 0.832)
    assert len([v for v in grid.values() if v["source"] == "published"]) == 75


def test_a_label_with_a_precision_stands_for_its_backend(make):
    found = backends([section_of([make("agd", backend="jax", dtype="float64"), make(backend="torch")])])
    assert {label: backend.name for label, backend in found.items()} == {"jax float64": "jax", "torch": "torch"}
    assert list(found) == ["torch", "jax float64"]


def luminance(colour):
    """Relative luminance of ``#rrggbb`` as the accessibility guidelines define it."""
    channels = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    bright, dim = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_contrast_formula_knows_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#f0e442", "#ffffff") < 3


@pytest.mark.parametrize("optimiser", SPECS)
def test_every_optimiser_has_a_colour_that_stands_out_in_light_and_dark(optimiser):
    [colours] = series([optimiser]).values()
    assert all(contrast(colour, ground) >= 3 for colour, ground in zip(colours, BACKGROUNDS, strict=True))


def test_no_two_optimisers_share_a_colour():
    colours = list(series(SPECS).values())
    assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ("value", "digits", "short"), [(0.123456, 3, 0.123), (3000.0, 5, 3000), (math.nan, 3, None), (math.inf, 3, None)]
)
def test_numbers_are_short(value, digits, short):
    assert significant(value, digits) == short


def test_data_cannot_close_their_script():
    text = script_json({"a": "</script><!--"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--"}


def test_three_hundred_records_make_less_than_six_megabytes(make):
    k = np.arange(3001)
    long = with_curve(make, (0.8 + 0.4 * np.exp(-0.002 * k)).tolist(), iterations=3000)
    runs = [
        changed(
            long,
            optimiser=optimiser,
            hyperparameters=make(optimiser).request.hyperparameters,
            seed=seed,
            backend=backend,
        )
        for optimiser in list(SPECS)[:8]
        for seed in range(20)
        for backend in ("torch", "jax")
    ]
    assert len(runs) == 320
    assert len(report_page(runs).encode()) < 6e6


def test_the_libraries_keep_their_licences(make):
    text = report_page([make()])
    for name in ("Vega", "DataTables", "jQuery", "d3", "BSD 3-Clause", "University of Washington", "SpryMedia"):
        assert name in text
    assert not re.search(r"<script[^>]+src=|<link[^>]+href=", text)


def test_the_command_writes_the_page_beside_the_records(make, tmp_path):
    Store(tmp_path / "records").write(make())
    result = CliRunner().invoke(command, ["--out", str(tmp_path)], catch_exceptions=False)
    assert result.output.strip() == str(tmp_path / "report.html")
    assert f"records/{make().record_id}.json" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_page_on_an_exported_file_is_beside_it_and_links_to_it(make, tmp_path):
    write_file([make(seed=0), make(seed=1)], tmp_path / "runs.csv.gz")
    result = CliRunner().invoke(command, ["--records", str(tmp_path / "runs.csv.gz")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('href="runs.csv.gz"') == 2
    assert "records/" not in page


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(InvalidArgumentError, match="normbench run --out"):
        command.main(["--out", str(tmp_path)], standalone_mode=False)


def test_a_missing_library_is_named_with_its_remedy(make, tmp_path, monkeypatch):
    Store(tmp_path / "records").write(make())
    monkeypatch.setitem(sys.modules, "altair", None)
    with imported_anew():
        result = CliRunner().invoke(importlib.import_module("normbench.cli").main, ["report", "--out", str(tmp_path)])
    assert result.exit_code == 2
    missing = 'the page needs altair, which is not installed: in a clone of normbench, pip install ".[report]"'
    assert result.stderr == f"Error: {missing}\n"


def test_a_default_that_won_its_search_is_two_solvers_and_only_one_paid(make):
    [way] = section_of([with_curve(make, [1.2, 1.0], optimiser="adam", learning_rate=1e-3, tuning_runs=5)]).ways
    assert [(s["way"], s["best"], s["default"], s["tuning"]) for s in way.solvers()] == [
        ("adam tuned", True, False, 5),
        ("adam default", False, True, 0),
    ]


def test_profiles_compare_what_every_board_has(make):
    def board(task, optimisers, seeds):
        return [with_curve(make, [1.2, 0.9], optimiser=o, task=task, seed=s) for o in optimisers for s in seeds]

    runs = [
        *board("quadrotor-sim", ("method1", "agd", "lars"), (0, 1, 2)),
        *board("neural-fly", ("method1", "agd"), (0, 1)),
    ]
    found = sections(boards(runs))
    assert {way for way, _ in common_solvers(found)} == {"method1", "agd"}
    assert {(key.split("-random")[0], seed) for key, seed in common_problems(found)} == {
        *(("quadrotor-sim", seed) for seed in range(3)),
        *(("neural-fly", seed) for seed in range(2)),
    }
