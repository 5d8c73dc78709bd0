"""What a figure shows is what its CSV holds, and that is what the records say."""

import math

import numpy as np
import pandas as pd
import pytest

from normbench.analysis import curves
from normbench.papers.agd import figures as agd
from normbench.papers.asgd import figures as experiments
from normbench.papers.asgd import published
from normbench.papers.asgd.tables import DEPTHS, WIDTHS
from normbench.papers.fromage import depth_figure
from normbench.papers.fromage import figures as fromage
from normbench.papers.fromage.growth import NORMALISED, PLAIN
from normbench.papers.fromage.sizes import Figure1
from normbench.papers.runs import perceptron_layers
from normbench.presentation.charts import looks
from normbench.presentation.charts.sheet import Origin
from normbench.specs import SPECS
from tests.changes import changed
from tests.presentation.curved import curved
from tests.presentation.drawn import (
    key,
    layers,
    levels,
    line_points,
    panels,
    rows_as_points,
    title,
)

SIMULATED = Origin("quadrotor-sim", "N", "reference", "float64", True, 2)


def by_optimiser(runs):
    return curves.mean_curves(runs, lambda run: {"optimiser": run.request.optimiser})


def value(data, **where):
    """The one mean in the row of ``data`` that is so described."""
    chosen = data
    for column, wanted in where.items():
        chosen = chosen[chosen[column] == wanted]
    assert len(chosen) == 1
    return chosen["mean"].iloc[0]


def test_curves_are_means_over_seeds_of_the_records(table1_runs):
    data = by_optimiser(table1_runs)
    for k in range(5):
        losses = np.array([1.0, 1.5, 4.0]) / (k + 1)
        rms = 2 * np.sqrt(losses)
        where = {"optimiser": "method1", "part": "train", "iteration": k}
        assert value(data, quantity="loss", **where) == pytest.approx(np.mean(losses))
        assert value(data, quantity="RMS", **where) == pytest.approx(np.mean(rms))
        chosen = data[(data["quantity"] == "RMS") & (data["optimiser"] == "method1") & (data["iteration"] == k)]
        assert chosen[chosen["part"] == "train"]["sd"].iloc[0] == pytest.approx(np.std(rms, ddof=1))
    assert value(data, quantity="step size", optimiser="method2", part="train", iteration=2) == pytest.approx(0.1125)
    assert value(data, quantity="loss", optimiser="method2", part="test", iteration=4) == pytest.approx(1.1 * 0.45)


def test_runs_without_a_result_are_no_part_of_a_curve(make, table1_runs):
    lost = curved(make, "method1", seed=3, scale=1e6, status="diverged")
    pd.testing.assert_frame_equal(by_optimiser([*table1_runs, lost]), by_optimiser(table1_runs))


def test_long_curves_are_thinned_for_print_and_keep_their_ends(make):
    data = curves.run_curves(curved(make, "method2", seed=0, iterations=3000))
    loss = data[(data["quantity"] == "loss") & (data["part"] == "train")]
    assert list(loss["iteration"].iloc[[0, 1, -1]]) == [0, 10, 3000]
    assert loss["value"].iloc[1] == pytest.approx(1 / 11)


@pytest.fixture(scope="module")
def grid_runs(make):
    return [
        curved(make, "method1", seed=0, layers=perceptron_layers(width=w, depth=d), test_rms=d / w, seconds_train=d)
        for d in DEPTHS
        for w in WIDTHS
    ]


def test_heat_maps_show_measured_and_published_cells_on_one_scale(grid_runs):
    picture = experiments.experiment2(grid_runs)
    maps = {panel["title"]["text"]: layers(panel, "rect")[0] for panel in panels(picture)}
    measured, paper = maps["test RMS in N, measured"], maps["test RMS in N, published"]
    expected = np.array([[d / w for w in WIDTHS] for d in DEPTHS])
    np.testing.assert_allclose([cell["mean"] for cell in measured["data"]["values"]], expected.ravel(), rtol=1e-5)
    figures = published.experiment2()["test_rms_mean_n"].unstack().to_numpy()
    np.testing.assert_array_equal([cell["mean"] for cell in paper["data"]["values"]], figures.ravel())
    ends = [layer["encoding"]["color"]["scale"]["domain"] for layer in (measured, paper)]
    assert ends == [[expected.min(), figures.max()]] * 2
    seconds = picture.data[(picture.data["quantity"] == "seconds") & (picture.data["source"] == "measured")]
    assert (seconds["mean"] == seconds["depth"]).all()


def breakdown_rows():
    return [
        {"depth": depth, "seed": seed, "iteration": k, "strength": eta, "rms": depth * (k + seed + eta + 1),
         "gradient_change": eta * (1 + seed)}
        for depth in (2, 16) for seed in (0, 1) for k in (0, 10) for eta in (0.1, 1.0)
    ]  # fmt: skip


def test_fromage_figure1_draws_means_over_seeds():
    picture = fromage.figure1(breakdown_rows(), SIMULATED, Figure1(width=8, learning_rate=0.01))
    chosen = picture.data[(picture.data["depth"] == 16) & (picture.data["strength"] == 0.1)]
    np.testing.assert_allclose(chosen["rms"], [16 * 1.6, 16 * 11.6])
    np.testing.assert_allclose(chosen["gradient_change"], 0.15)
    for panel, (depth, quantity) in zip(
        panels(picture), [(d, q) for q in ("rms", "gradient_change") for d in (2, 16)], strict=True
    ):
        groups = (rows for _, rows in picture.data[picture.data["depth"] == depth].groupby("iteration"))
        assert rows_as_points(groups, "strength", quantity) <= line_points(panel)
    assert "SIMULATED" in title(picture)


def test_fromage_figure2_draws_every_layer_and_says_what_overflowed():
    rows = [
        {"layers": kind, "optimiser": key, "seed": 0, "iteration": k, "layer": layer, "norm": norm, "rms": 1.0}
        for kind in (NORMALISED, PLAIN) for key in ("lars", "fromage") for layer in (1, 2)
        for k, norm in ((0, 1.0), (20, 2.0 + layer), (40, math.inf if key == "lars" else 1.5))
    ]  # fmt: skip
    picture = fromage.figure2(rows, SIMULATED, network="12-3", learning_rate=0.2, samples=10)
    finite = picture.data[np.isfinite(picture.data["norm"]) & (picture.data["layers"] == PLAIN)]
    expected = rows_as_points((r for _, r in finite.groupby(["optimiser", "layer"])), "iteration", "norm")
    assert line_points(panels(picture)[1]) == expected
    summary = fromage.norm_summary(picture.data)
    assert list(summary["end"]) == ["overflown", "", "overflown", ""]


@pytest.fixture(scope="module")
def depth_records(make):
    rates = {"fromage": (0.03, 0.01), "adam": (1e-2, 1e-3)}
    runs = [
        make(
            key,
            rate,
            seed=seed,
            layers=perceptron_layers(width=4, depth=depth),
            train_rms=depth * rate + seed,
        )
        for depth in (2, 4) for key, values in rates.items() for rate in values for seed in (0, 1)
    ]  # fmt: skip
    lost = {"status": "diverged", "train_rms": math.nan}
    return [
        changed(r, **lost) if r.request.hyperparameters["learning_rate"] == 0.01 and r.request.seed else r for r in runs
    ]


def test_the_best_learning_rate_of_a_depth_has_lost_no_run(depth_records):
    data = depth_figure.depth_runs(depth_records)
    best = data[data["best"]].set_index(["depth", "optimiser"])
    assert best.loc[(4, "fromage"), "learning_rate"] == 0.03  # 0.01 is lower but lost a run
    assert best.loc[(4, "fromage"), "train_rms"] == pytest.approx(4 * 0.03 + 0.5)
    assert best.loc[(2, "adam, epsilon 1e-08"), "learning_rate"] == 1e-3
    assert data.loc[data["learning_rate"] == 0.01, "lost"].tolist() == [1, 1, 1, 1]


def test_fromage_figure3_draws_the_best_and_the_trivial_predictors(depth_records):
    picture = depth_figure.figure3(depth_records)
    best, _, rates, _ = panels(picture)  # each with its key
    table = picture.data[picture.data["best"]]
    assert rows_as_points((r for _, r in table.groupby("optimiser")), "depth", "train_rms") <= line_points(best)
    table = picture.data[picture.data["optimiser"] == "fromage"]
    assert rows_as_points((r for _, r in table.groupby("learning_rate")), "depth", "train_rms") <= line_points(rates)
    predictors = depth_records[0].outcome.predictors
    expected = {name: predictors[name]["train"] for name in ("zero", "mean", "linear")}
    assert levels(best) == pytest.approx(expected, rel=1e-5)


def test_fromage_figure3_of_classes_draws_accuracy_in_percent_and_the_best_is_the_highest(make):
    known = {
        name: {"train": 1.0, "train_accuracy": share}
        for name, share in (("zero", 0.1), ("mean", 0.11), ("linear", 0.8))
    }
    runs = [
        make("fromage", rate, layers=perceptron_layers(width=4, depth=depth), predictors=known, train_accuracy=share)
        for depth in (2, 4) for rate, share in ((0.1, 0.5 / depth), (0.01, 0.9))
    ]  # fmt: skip
    lost = changed(runs[-1], status="diverged", train_accuracy=None)
    picture = depth_figure.figure3([*runs[:-1], lost])
    assert picture.data["train_accuracy_percent"].tolist()[:3] == pytest.approx([25, 90, 12.5])
    assert picture.data["best"].tolist() == [False, True, True, False]
    assert picture.data["lost"].tolist() == [0, 0, 0, 1]
    best, *_ = panels(picture)
    assert levels(best) == pytest.approx({"zero": 10, "mean": 11, "linear": 80})


@pytest.fixture(scope="module")
def rivals(make):
    layers = perceptron_layers(width=4, depth=8)
    tried = [
        curved(make, "adam", seed=0, learning_rate=rate, layers=layers, tuning_runs=cost)
        for rate, cost in ((0.01, 5), (0.1, 0))
    ]
    return [curved(make, "agd", seed=s, scale=1 + s, layers=layers) for s in (0, 1)] + tried


def test_agd_figure5_compares_with_the_tuned_runs_only(rivals):
    chosen = agd.chosen_runs(rivals)
    assert [(run.request.optimiser, run.provenance.tuning_runs) for run in chosen] == [
        ("agd", 0),
        ("agd", 0),
        ("adam", 5),
    ]
    updates = [
        {"optimiser": key, "seed": seed, "iteration": k, "layer": layer, "relative_update": layer * (seed + 1.0)}
        for key, seeds in (("agd", (0, 1)), ("adam", (0,))) for seed in seeds for k in (0, 2) for layer in (1, 2)
    ]  # fmt: skip
    picture = agd.figure5(chosen, updates)
    rows = picture.data[picture.data["quantity"] == agd.UPDATE]
    assert rows[rows["optimiser"] == "agd"]["mean"].tolist() == [2.25, 2.25]  # mean over layers 1.5, over seeds 1.5
    rms = picture.data[picture.data["quantity"] == "RMS"]
    left, right = panels(picture)
    groups = (r for _, r in rms.groupby(["optimiser", "part"]))
    assert line_points(left) == rows_as_points(groups, "iteration", "mean")
    groups = (r for _, r in rows.groupby("optimiser"))
    assert line_points(right) == rows_as_points(groups, "iteration", "mean")
    assert key(picture) == ["agd\n(nothing to tune)", "adam\n(best of 5: 0.01)"]


def test_agd_figure6_draws_every_network_and_does_not_call_real_data_simulated(make):
    runs = [
        curved(make, "agd", seed=0, scale=depth * width, layers=perceptron_layers(width=width, depth=depth))
        for depth in (2, 4) for width in (8, 16)
    ]  # fmt: skip
    picture = agd.figure6([changed(run, simulated=False) for run in runs])
    assert "real data" in title(picture)
    assert "SIMULATED" not in title(picture)
    assert value(picture.data, depth=4, width=16, quantity="RMS", part="train", iteration=0) == pytest.approx(16.0)
    drawn = np.array(panels(picture)).reshape(3, 2)
    for row, (quantity, part) in zip(drawn, (("step size", "train"), ("RMS", "train"), ("RMS", "test")), strict=True):
        data = picture.data[(picture.data["quantity"] == quantity) & (picture.data["part"] == part)]
        for panel, depth in zip(row, (2, 4), strict=True):
            groups = (r for _, r in data[data["depth"] == depth].groupby("width"))
            assert rows_as_points(groups, "iteration", "mean") <= line_points(panel)
    assert "63.7 %" in agd.published_extremes()


def test_agd_figure7_draws_means_and_sets_the_papers_accuracy_beside():
    rows = [
        {"batch": batch, "seed": seed, "step": k, "epoch": float(k), "train_rms": batch + seed + k, "test_rms": 1.0,
         "step_size": math.nan if k == 0 else 0.1 * (seed + 1), "step_size_low": math.nan if k == 0 else 0.05,
         "step_size_high": math.nan if k == 0 else 0.3}
        for batch in (32, 100) for seed in (0, 1) for k in (0, 1)
    ]  # fmt: skip
    picture = agd.figure7(rows, SIMULATED, network="12-3", epochs=1)
    assert value(picture.data, batch=32, epoch=1.0, quantity="train_rms") == 33.5
    assert value(picture.data, batch=32, epoch=1.0, quantity="step_size") == pytest.approx(0.15)
    for panel, quantity in zip(panels(picture), ("step_size", "train_rms", "test_rms"), strict=True):
        groups = (r for _, r in picture.data[picture.data["quantity"] == quantity].groupby("batch"))
        assert rows_as_points(groups, "epoch", "mean") <= line_points(panel)
    summary = agd.batch_summary(picture.data)
    assert summary["published test accuracy, CIFAR-10"].tolist() == ["55 %", ""]


def test_no_two_optimisers_look_alike_without_colour():
    found = looks.optimiser_looks(SPECS)
    assert found.names == tuple(SPECS)
    without_colour = zip(found.shapes.to_dict()["range"], map(str, found.dashes.to_dict()["range"]), strict=True)
    assert len(set(without_colour)) == len(SPECS)


def test_an_optimiser_looks_the_same_in_every_company():
    alone, together = looks.optimiser_looks(["lars"]), looks.optimiser_looks(SPECS)
    place = together.names.index("lars")
    for scale in ("colours", "shapes", "dashes"):
        assert getattr(alone, scale).to_dict()["range"][0] == getattr(together, scale).to_dict()["range"][place]
