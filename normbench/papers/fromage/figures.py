"""Figures 1 to 3 of arXiv 2002.03432 on the benchmark's regression: break-down, compounding growth, depth."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from normbench.papers.fromage.growth import NORMALISED, PLAIN
from normbench.presentation.figures.style import (
    GUIDE,
    TWO_COLUMNS,
    Looks,
    Origin,
    Picture,
    Rows,
    canvas,
    entitle,
    finish,
    lines,
    optimiser_looks,
    ordered_looks,
    origin,
    printed,
    trivial_levels,
)
from normbench.records.schema import Record

PAPER = "arXiv 2002.03432"
FLOAT32_NORM = math.sqrt(float(np.finfo(np.float32).max))  # beyond it the sum of squares is infinite


def mean_breakdown(rows: Rows) -> pd.DataFrame:
    """Means over seeds of what :class:`normbench.papers.fromage.perturbation.PerturbationJob` saw.

    ``depth, iteration, strength, rms, gradient_change, seeds``
    """
    groups = pd.DataFrame(rows).groupby(["depth", "iteration", "strength"])
    means = groups[["rms", "gradient_change"]].mean()
    return means.assign(seeds=groups.size()).reset_index()


def breakdown_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Median over checkpoints of the gradient's change: depths down, perturbations across."""
    table = data.pivot_table(index="depth", columns="strength", values="gradient_change", aggfunc="median")
    return table.rename(columns="{:g}".format).reset_index()


def figure1(rows: Rows, source: Origin, *, width: int, learning_rate: float) -> Picture:
    """Loss and change of the input layer's gradient over the size of a perturbation, by depth and checkpoint."""
    data = mean_breakdown(rows)
    with printed():
        figure, panels = canvas(2, data["depth"].nunique(), width=TWO_COLUMNS, height=4.6, sharex=True, sharey="row")
        for column, (depth, chosen) in zip(panels.T, data.groupby("depth"), strict=True):
            for panel, quantity in zip(column, ("rms", "gradient_change"), strict=True):
                _slices(panel, chosen, quantity)
            column[0].set_title(f"depth {depth}")
            column[1].set_xlabel(r"relative perturbation $\eta$ of every layer")
        panels[0, 0].set_ylabel(f"training RMS in {source.unit}")
        panels[1, 0].set_ylabel(r"$\|\tilde g_1 - g_1\|_F\ /\ \|g_1\|_F$")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", title="iteration")
        entitle(
            figure,
            f"Fromage, figure 1: break-down under perturbation. {source.data}",
            f"Perceptrons of width {width} trained by Fromage (learning rate {learning_rate:g}; {source.runs}), frozen "
            "at checkpoints; all layers moved at once to W - η g ||W|| / ||g||, loss and gradient over the full "
            "batch in float64. Where a perturbation kills all ReLUs, the RMS is that of the zero predictor and the "
            f"gradient has changed by 1. {PAPER}: MNIST, classification loss.",
        )
    return Picture("fromage-figure1", figure, data)


def _slices(panel: Axes, data: pd.DataFrame, quantity: str) -> None:
    looks = ordered_looks(sorted(data["iteration"].unique()))
    lines(panel, data, x="strength", y=quantity, by="iteration", looks=looks)
    panel.set(xscale="log", yscale="log")
    finish(panel)


def norm_spans(rows: Rows) -> pd.DataFrame:
    """Layer norms of every optimiser over the iterations, mean over seeds.

    ``layers, optimiser, layer, iteration, norm, rms, seeds``
    """
    groups = pd.DataFrame(rows).groupby(["layers", "optimiser", "layer", "iteration"], sort=False)
    return groups[["norm", "rms"]].mean().assign(seeds=groups.size()).reset_index()


def norm_summary(data: pd.DataFrame) -> pd.DataFrame:
    """For each kind of layers and optimiser: the last iteration, and the least and greatest norm there."""
    last = data[data["iteration"] == data.groupby(["layers", "optimiser"])["iteration"].transform("max")]
    groups = last.groupby(["layers", "optimiser"], sort=False)
    table = groups.agg(
        iteration=("iteration", "max"), least=("norm", "min"), greatest=("norm", "max"), rms=("rms", "min")
    )
    overflown = np.isinf(table["greatest"]).map({True: "overflown", False: ""})
    return table.assign(end=overflown).reset_index()


def figure2(rows: Rows, source: Origin, *, network: str, learning_rate: float, samples: int) -> Picture:
    """Layer norms over iterations under LARS and Fromage, with and without rescaling-invariant layers."""
    data = norm_spans(rows)
    with printed():
        figure, panels = canvas(1, 2, width=TWO_COLUMNS, height=3.0)
        for panel, kind in zip(panels[0], (NORMALISED, PLAIN), strict=True):
            _norms(panel, data[data["layers"] == kind])
            panel.set(title=kind, xlabel="iteration", ylabel=r"$\|W_l\|_F$ of each layer")
        _overflow(panels[0, 0], data, learning_rate)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
        entitle(
            figure,
            f"Fromage, figure 2: LARS grows without the prefactor. {source.data}",
            f"Network {network}, learning rate {learning_rate:g}, {source.runs}; one line per layer. Left: every layer "
            f"divided by its norm, hence rescaling-invariant (NumPy, float32, {samples} samples). Right: the "
            "benchmark's own layers, which are not invariant, so that nothing forces a norm to grow; a line goes flat "
            f"where all ReLUs are dead and the gradient is zero. {PAPER}: a spectrally normalised cGAN.",
        )
    return Picture("fromage-figure2", figure, data)


def _norms(panel: Axes, data: pd.DataFrame) -> None:
    looks = optimiser_looks(data["optimiser"].unique())
    finite = data[np.isfinite(data["norm"])]
    for (optimiser, layer), line in finite.groupby(["optimiser", "layer"]):
        panel.plot(
            line["iteration"], line["norm"], color=looks.palette[optimiser], marker=looks.markers[optimiser],
            markevery=(int(layer) - 1, 12), dashes=looks.dashes[optimiser] or (1, 0), linewidth=1, markersize=3,
            label=str(optimiser) if layer == 1 else None,
        )  # fmt: skip
    panel.set_yscale("log")
    finish(panel)


def _overflow(panel: Axes, data: pd.DataFrame, learning_rate: float) -> None:
    """What Pythagoras says of LARS, and where float32 ends."""
    iterations = np.array([0, data["iteration"].max()])
    grown = np.minimum((1 + learning_rate**2) ** (iterations / 2), 1e22)
    panel.plot(iterations, grown, color="black", linestyle=":", linewidth=1, label=r"$(1+\eta^2)^{t/2}$")
    panel.axhline(FLOAT32_NORM, color=GUIDE, linewidth=0.8, linestyle="-.", label="float32 overflows")
    panel.set_ylim(0.1, 1e22)


def depth_label(run: Record) -> str:
    """Key of the optimiser, with epsilon where it has one."""
    epsilon = run.request.hyperparameters.get("epsilon")
    return run.request.optimiser if epsilon is None else f"{run.request.optimiser}, epsilon {epsilon:g}"


def depth_runs(records: Iterable[Record]) -> pd.DataFrame:
    """Final training RMS over depth: ``depth, optimiser, learning_rate, train_rms, sd, seeds, lost, best``.

    Adam counts as two optimisers if it has two values of epsilon. ``lost`` counts diverged and failed runs; ``best``
    marks, for each depth and optimiser, the learning rate with the lowest mean among those that lost no run.
    """
    rows = pd.DataFrame(
        {
            "depth": len(run.request.layers) - 1,
            "optimiser": depth_label(run),
            "learning_rate": run.request.hyperparameters["learning_rate"],
            "rms": run.outcome.train_rms,
        }
        for run in records
    )
    groups = rows.groupby(["depth", "optimiser", "learning_rate"], sort=False)["rms"]
    table = groups.agg(train_rms="mean", sd="std", seeds="count", lost=lambda rms: int(rms.isna().sum())).reset_index()
    whole = table[(table["lost"] == 0) & table["train_rms"].notna()]
    best = whole.groupby(["depth", "optimiser"])["train_rms"].idxmin()
    return table.assign(best=table.index.isin(best))


def depth_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Best RMS of each optimiser: depths down, optimisers across."""
    best = data[data["best"]]
    table = best.pivot(index="depth", columns="optimiser", values="train_rms")
    return table[list(best["optimiser"].unique())].reset_index()


def figure3(records: Sequence[Record]) -> Picture:
    """Training RMS over depth: the best of three learning rates of each optimiser, and every one of Fromage's."""
    data = depth_runs(records)
    source = origin(records)
    with printed():
        figure, (panels,) = canvas(1, 2, width=TWO_COLUMNS, height=3.2, sharey=True)
        _best_over_depth(panels[0], data[data["best"]])
        _rates_over_depth(panels[1], data[data["optimiser"] == "fromage"])
        for panel in panels:
            trivial_levels(panel, records, "train")
            panel.set_xscale("log", base=2)
            depths = sorted(data["depth"].unique())
            panel.set_xticks(depths, [str(d) for d in depths])
            panel.set(xlabel="depth (weight matrices)", ylabel=f"final training RMS in {source.unit}")
            finish(panel)
        width = records[0].request.layers[1]
        entitle(
            figure,
            f"Fromage, figure 3: training over depth. {source.data}",
            f"Perceptrons of width {width}, {records[0].request.iterations} full-batch iterations, {source.runs}. The "
            "gradient of a normalised network shrinks with every layer, far below Adam's default epsilon of 1e-8, "
            "hence a second, negligible one. Dotted: predictors without an optimiser. "
            f"{PAPER}: MNIST, accuracy after 100 epochs, depths to 50.",
        )
    return Picture("fromage-figure3", figure, data)


def _depth_looks(labels: Sequence[str]) -> Looks:
    """Those of the optimisers; of one with two variants the second is grey."""
    known = optimiser_looks(label.split(",")[0] for label in labels)
    looks, seen = Looks({}, {}, {}), set()
    for label in labels:
        key = label.split(",")[0]
        again = key in seen
        looks.palette[label] = GUIDE if again else known.palette[key]
        looks.markers[label] = "d" if again else known.markers[key]
        looks.dashes[label] = (1, 1) if again else known.dashes[key]
        seen.add(key)
    return looks


def _best_over_depth(panel: Axes, data: pd.DataFrame) -> None:
    looks = _depth_looks(list(data["optimiser"].unique()))
    _depth_lines(panel, data, "optimiser", looks, columns=2)
    panel.set_title("best of three learning rates")


def _rates_over_depth(panel: Axes, data: pd.DataFrame) -> None:
    looks = ordered_looks(sorted(data["learning_rate"].unique()))
    _depth_lines(panel, data, "learning_rate", looks, columns=3)
    panel.set_title("Fromage by learning rate")


def _depth_lines(panel: Axes, data: pd.DataFrame, by: str, looks: Looks, *, columns: int) -> None:
    lines(panel, data, x="depth", y="train_rms", by=by, looks=looks, marked=True)
    _bars(panel, data, looks.palette, by)
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=columns)


def _bars(panel: Axes, data: pd.DataFrame, colours: Mapping[Any, Any], by: str) -> None:
    for name, rows in data[data["sd"].notna()].groupby(by):
        panel.errorbar(
            rows["depth"], rows["train_rms"], rows["sd"], color=colours[name], linestyle="", capsize=2, linewidth=0.8
        )
