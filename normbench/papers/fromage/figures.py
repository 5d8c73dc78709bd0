"""Figures 1 to 3 of arXiv 2002.03432 on the benchmark's regression: break-down, compounding growth, depth."""

import math
from collections.abc import Iterable, Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from normbench.papers.fromage.growth import NORMALISED, PLAIN
from normbench.presentation.charts.axes import axis, decades, log_axis
from normbench.presentation.charts.base import Layers
from normbench.presentation.charts.data import chosen, rows, spread, trivial
from normbench.presentation.charts.lines import bars, levels, line, marks
from normbench.presentation.charts.looks import Looks, chosen_looks, optimiser_looks, ordered_looks
from normbench.presentation.charts.sheet import Origin, Picture, Rows, key, origin, panel, sheet
from normbench.presentation.palette import variable
from normbench.records.schema import Record
from normbench.specs import SPECS

PAPER = "arXiv 2002.03432"
FLOAT32_NORM = math.sqrt(float(np.finfo(np.float32).max))  # beyond it the sum of squares is infinite
_DECADES = [1.0, 1e5, 1e10, 1e15, 1e20]
_WIDTH, _HEIGHT = 230, 200


def mean_breakdown(seen: Rows) -> pd.DataFrame:
    """Means over seeds of what :class:`normbench.papers.fromage.perturbation.PerturbationJob` saw.

    ``depth, iteration, strength, rms, gradient_change, seeds``
    """
    groups = pd.DataFrame(seen).groupby(["depth", "iteration", "strength"])
    means = groups[["rms", "gradient_change"]].mean()
    return means.assign(seeds=groups.size()).reset_index()


def breakdown_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Median over checkpoints of the gradient's change: depths down, perturbations across."""
    table = data.pivot_table(index="depth", columns="strength", values="gradient_change", aggfunc="median")
    return table.rename(columns="{:g}".format).reset_index()


def figure1(seen: Rows, source: Origin, *, width: int, learning_rate: float) -> Picture:
    """Loss and change of the input layer's gradient over the size of a perturbation, by depth and checkpoint."""
    data = mean_breakdown(seen)
    looks = ordered_looks(sorted(data["iteration"].unique().tolist()))
    names = {"rms": f"training RMS in {source.unit}", "gradient_change": "change of the gradient, relative"}
    panels = [
        panel(
            *_slices(chosen(data, {"depth": depth}), looks, _own_axis(data, quantity, words)),
            title=f"depth {depth}" if quantity == "rms" else "",
            width=220,
            height=160,
        )
        for quantity, words in names.items()
        for depth in data["depth"].unique()
    ]
    chart = sheet(
        f"Fromage, figure 1: break-down under perturbation. {source.data}",
        f"Perceptrons of width {width} trained by Fromage (learning rate {learning_rate:g}; {source.runs}), frozen "
        "at checkpoints; all layers moved at once to W - η g ||W|| / ||g||, loss and gradient over the full batch in "
        "float64. Below: Frobenius norm of the change of the input layer's gradient over that of the gradient. Where "
        "a perturbation kills all ReLUs, the RMS is that of the zero predictor and the gradient has changed by 1. "
        f"{PAPER}: MNIST, classification loss.",
        panels,
        columns=data["depth"].nunique(),
        legend=key(looks, title="iteration", shapes=False),
    )
    return Picture("fromage-figure1", chart, data)


def _own_axis(data: pd.DataFrame, quantity: str, words: str) -> alt.Y:
    span = 0.9 * data[quantity].min(), 1.1 * data[quantity].max()
    return log_axis(alt.Y, quantity, words, domain=span, values=decades(data[quantity]), form=".0e")


def _slices(data: pd.DataFrame, looks: Looks, y: alt.Y) -> list[alt.Chart]:
    strengths = decades(data["strength"])
    x = log_axis(alt.X, "strength", "relative perturbation η of every layer", values=strengths)
    slices = alt.Chart(rows(data)).encode(x=x, y=y, color=looks.colour("iteration"))
    return [line(slices, dash=looks.dash("iteration"))]


def norm_spans(seen: Rows) -> pd.DataFrame:
    """Layer norms of every optimiser over the iterations, mean over seeds.

    ``layers, optimiser, layer, iteration, norm, rms, seeds``
    """
    groups = pd.DataFrame(seen).groupby(["layers", "optimiser", "layer", "iteration"], sort=False)
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


def figure2(seen: Rows, source: Origin, *, network: str, learning_rate: float, samples: int) -> Picture:
    """Layer norms over iterations under LARS and Fromage, with and without rescaling-invariant layers."""
    data = norm_spans(seen)
    looks = optimiser_looks(data["optimiser"].unique())
    invariant, plain = (chosen(data, {"layers": kind}) for kind in (NORMALISED, PLAIN))
    grown = log_axis(alt.Y, "norm", "||W|| of each layer", domain=(0.1, 1e22), values=_DECADES, form=".0e")
    finite = plain.loc[np.isfinite(plain["norm"]), "norm"]
    own = log_axis(alt.Y, "norm", "||W|| of each layer", values=decades(finite))
    chart = sheet(
        f"Fromage, figure 2: LARS grows without the prefactor. {source.data}",
        f"Network {network}, learning rate {learning_rate:g}, {source.runs}; one line per layer. Left: every layer "
        f"divided by its norm, hence rescaling-invariant (NumPy, float32, {samples} samples); dotted: what Pythagoras "
        "says of LARS, (1 + η²) to the power of half the iterations, and where float32 ends. Right: the "
        "benchmark's own layers, which are not invariant, so that nothing forces a norm to grow; a line goes flat "
        f"where all ReLUs are dead and the gradient is zero. {PAPER}: a spectrally normalised cGAN.",
        [
            panel(
                *_overflow(data, learning_rate, grown),
                *_norms(invariant, looks, grown),
                title=NORMALISED,
                width=_WIDTH,
                height=_HEIGHT,
            ),
            panel(*_norms(plain, looks, own), title=PLAIN, width=_WIDTH, height=_HEIGHT),
        ],
        columns=2,
        legend=key(looks),
    )
    return Picture("fromage-figure2", chart, data)


def _norms(data: pd.DataFrame, looks: Looks, y: alt.Y) -> list[alt.Chart]:
    """A line per optimiser and layer; the marks of the layers stand beside one another."""
    finite = data[np.isfinite(data["norm"])]
    place = finite.groupby(["optimiser", "layer"]).cumcount()
    table = finite.assign(marked=place % 12 == finite["layer"] - 1)
    norms = alt.Chart(rows(table[["optimiser", "layer", "iteration", "norm", "marked"]])).encode(
        x=axis(alt.X, "iteration", "iteration"), y=y, color=looks.colour("optimiser"), detail="layer:N"
    )
    marked = marks(norms.transform_filter("datum.marked"), size=30, shape=looks.shape("optimiser"))
    return [line(norms, dash=looks.dash("optimiser"), width=alt.value(1.2)), marked]


def _overflow(data: pd.DataFrame, learning_rate: float, y: alt.Y) -> list[alt.Chart | Layers]:
    """What Pythagoras says of LARS, and where float32 ends."""
    iterations = np.linspace(0, data["iteration"].max(), 200)
    grown = pd.DataFrame({"iteration": iterations, "norm": (1 + learning_rate**2) ** (iterations / 2)})
    pythagoras = alt.Chart(rows(grown)).mark_line(clip=True, strokeDash=[1, 3], color="var(--text)")
    ends = pd.DataFrame({"predictor": ["float32 ends"], "rms": [FLOAT32_NORM]})
    return [levels(rows(ends), align="left"), pythagoras.encode(x="iteration:Q", y=y)]


def depth_label(run: Record) -> str:
    """Key of the optimiser, with epsilon where it has one."""
    epsilon = run.request.hyperparameters.get("epsilon")
    return run.request.optimiser if epsilon is None else f"{run.request.optimiser}, epsilon {epsilon:g}"


def depth_runs(records: Iterable[Record]) -> pd.DataFrame:
    """Final training RMS over depth: ``depth, optimiser, learning_rate, train_rms, sd, seeds, lost, best``.

    Adam counts as two optimisers if it has two values of epsilon. ``lost`` counts diverged and failed runs; ``best``
    marks, for each depth and optimiser, the learning rate with the lowest mean among those that lost no run.
    """
    finals = pd.DataFrame(
        {
            "depth": len(run.request.layers) - 1,
            "optimiser": depth_label(run),
            "learning_rate": run.request.hyperparameters["learning_rate"],
            "rms": run.outcome.train_rms,
        }
        for run in records
    )
    groups = finals.groupby(["depth", "optimiser", "learning_rate"], sort=False)["rms"]
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
    source, asked = origin(records), records[0].request
    known, best, rates = trivial(records, "train"), data[data["best"]], chosen(data, {"optimiser": "fromage"})
    keys = {depth_label(run): run.request.optimiser for run in records}
    names = {label: keys[label] for label in best["optimiser"].unique()}
    shown = [*known["rms"], *best["train_rms"], *rates["train_rms"]]
    span = 0.97 * np.nanmin(shown), 1.03 * np.nanmax(shown)
    y = axis(alt.Y, "train_rms", f"final training RMS in {source.unit}", domain=span)
    panels = [
        _over_depth(best, "optimiser", _depth_looks(names), y, known, title="best of three learning rates"),
        _over_depth(
            rates,
            "learning_rate",
            ordered_looks(sorted(rates["learning_rate"].unique().tolist())),
            y,
            known,
            title="Fromage by learning rate",
        ),
    ]
    chart = sheet(
        f"Fromage, figure 3: training over depth. {source.data}",
        f"Perceptrons of width {asked.layers[1]}, {asked.iterations} full-batch iterations, {source.runs}. The "
        "gradient of a normalised network shrinks with every layer, far below Adam's default epsilon of 1e-8, "
        "hence a second, negligible one. Dotted: predictors without an optimiser. "
        f"{PAPER}: MNIST, accuracy after 100 epochs, depths to 50.",
        [chart for drawn in panels for chart in drawn],
        columns=4,
    )
    return Picture("fromage-figure3", chart, data)


def _depth_looks(names: Mapping[str, str]) -> Looks:
    """Those of the optimisers by their labels; of one with two variants the second is grey."""
    seen: set[str] = set()
    looks = []
    for label, name in names.items():
        again = name in seen
        looks.append((label, "var(--muted)" if again else variable(name), list(SPECS).index(name) + 2 * again))
        seen.add(name)
    return chosen_looks(looks)


def _over_depth(
    data: pd.DataFrame, by: str, looks: Looks, y: alt.Y, known: pd.DataFrame, *, title: str
) -> list[Layers]:
    """Lines over depth with bars of one standard deviation, and their key."""
    depths = sorted(data["depth"].unique().tolist())
    x = log_axis(alt.X, "depth", "depth (weight matrices)", base=2, values=depths)
    table = spread(data, mean="train_rms")[[by, "depth", "train_rms", "low", "high"]]
    drawn = alt.Chart(rows(table)).encode(x=x, y=y, color=looks.colour(by))
    spreads = [bars(drawn)] if table["low"].notna().any() else []
    layers = [line(drawn, dash=looks.dash(by)), *spreads, marks(drawn, shape=looks.shape(by))]
    return [panel(levels(rows(known), align="left"), *layers, title=title, width=190, height=200), key(looks)]
