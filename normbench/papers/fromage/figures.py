"""Figures 1 and 2 of arXiv 2002.03432: break-down, on the benchmark's regression or MNIST, and compounding growth."""

import math

import altair as alt
import numpy as np
import pandas as pd

from normbench.papers.fromage.growth import NORMALISED, PLAIN
from normbench.papers.fromage.sizes import MNIST, Figure1
from normbench.presentation.charts.axes import axis, decades, log_axis
from normbench.presentation.charts.base import Layers
from normbench.presentation.charts.data import chosen, rows
from normbench.presentation.charts.lines import levels, line, marks
from normbench.presentation.charts.looks import Looks, optimiser_looks, ordered_looks
from normbench.presentation.charts.sheet import Origin, Picture, Rows, key, panel, sheet

PAPER = "arXiv 2002.03432"
FLOAT32_NORM = math.sqrt(float(np.finfo(np.float32).max))  # beyond it the sum of squares is infinite
_DECADES = [1.0, 1e5, 1e10, 1e15, 1e20]
_WIDTH, _HEIGHT = 230, 200


def file_name(figure: int, task: str) -> str:
    """Of the files: that on the paper's images has the task in it."""
    return f"fromage-figure{figure}" + (f"-{task}" if task == MNIST else "")


def batches(batch_size: int | None) -> str:
    """What an iteration sees, in words."""
    return "full-batch iterations" if batch_size is None else f"iterations on mini-batches of {batch_size}"


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


def figure1(seen: Rows, source: Origin, size: Figure1) -> Picture:
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
        f"Perceptrons of width {size.width} trained by Fromage (learning rate {size.learning_rate:g}, "
        f"{size.iterations} {batches(size.batch_size)}; {source.runs}), frozen at checkpoints; all layers moved at "
        "once to W - η g ||W|| / ||g||, loss and gradient over the full batch in float64. Below: Frobenius norm of "
        "the change of the input layer's gradient over that of the gradient. Where a perturbation kills all ReLUs, "
        "the RMS is that of the zero predictor and the gradient has changed by 1. "
        f"{PAPER}: {size.otherwise}.",
        panels,
        columns=data["depth"].nunique(),
        legend=key(looks, title="iteration", shapes=False),
    )
    return Picture(file_name(1, source.task), chart, data)


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
