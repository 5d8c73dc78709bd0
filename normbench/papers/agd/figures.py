"""Figures 5 to 7 of arXiv 2304.05187 on the benchmark's regression: tuned rivals, width and depth, batch size."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from normbench import specs
from normbench.analysis.curves import LOSS, RMS, STEP, mean_curves
from normbench.papers import published
from normbench.presentation.charts.axes import axis, decades, log_axis
from normbench.presentation.charts.data import chosen, rows, spread, trivial
from normbench.presentation.charts.lines import band, levels, line, marks
from normbench.presentation.charts.looks import Looks, optimiser_looks, ordered_looks
from normbench.presentation.charts.sheet import Origin, Picture, Rows, key, origin, panel, sheet
from normbench.records.schema import Record

PAPER = "arXiv 2304.05187"
UPDATE = "relative update"
_PART_DASHES = alt.Scale(domain=["train", "test"], range=[[1, 0], [4, 2]])
_HIGHEST = 1.1  # times the zero predictor's RMS: where curves may leave the panel


def mean_updates(seen: Rows) -> pd.DataFrame:
    """Means of ||dW_k||_F / ||W_k||_F over layers, then mean and sd over seeds; columns as :func:`mean_curves`."""
    layers = pd.DataFrame(seen).groupby(["optimiser", "seed", "iteration"], sort=False)["relative_update"].mean()
    seeds = layers.groupby(["optimiser", "iteration"], sort=False)
    table = seeds.agg(mean="mean", sd="std", seeds="count").reset_index()
    return table.assign(quantity=UPDATE, part="train")


def chosen_runs(records: Sequence[Record]) -> list[Record]:
    """The runs of what needs no tuning (AGD), and those of the others at the rate that their search has chosen."""
    return [run for run in records if not specs.get(run.request.optimiser).tuned or run.provenance.tuning_runs > 0]


def rivals_summary(records: Iterable[Record]) -> pd.DataFrame:
    """Final RMS by optimiser, mean over seeds, beside the learning rate that was found."""
    rows = pd.DataFrame(
        {
            "optimiser": run.request.optimiser,
            "learning rate": f"{run.request.hyperparameters['learning_rate']:g}"
            if run.provenance.tuning_runs
            else "automatic",
            "tuning runs": run.provenance.tuning_runs,
            "train RMS": run.outcome.train_rms,
            "test RMS": run.outcome.test_rms,
        }
        for run in records
    )
    return rows.groupby(["optimiser", "learning rate", "tuning runs"], sort=False).mean().reset_index()


def figure5(records: Sequence[Record], updates: Rows) -> Picture:
    """Loss, RMS and relative update size of AGD and of tuned Adam and SGD over iterations.

    Parameters
    ----------
    records : sequence of Record
        Those of :func:`chosen_runs`.
    updates : list of dict
        Rows of :class:`normbench.papers.checkpoints.UpdateSizeJob` for the same runs.
    """
    curves = mean_curves(records, lambda run: {"optimiser": run.request.optimiser})
    data = pd.concat([chosen(curves, {"quantity": RMS}), mean_updates(updates)], ignore_index=True)
    source, asked = origin(records), records[0].request
    looks = optimiser_looks(data["optimiser"].unique())
    sizes = chosen(data, {"quantity": UPDATE})
    ends = decades(sizes["mean"])
    panels = [
        _optimiser_lines(chosen(data, {"quantity": RMS}), looks, axis(alt.Y, "mean", f"RMS in {source.unit}")),
        _optimiser_lines(sizes, looks, log_axis(alt.Y, "mean", "||ΔW|| / ||W||", values=ends, form=".0e")),
    ]
    heads = ("train (solid), test (dashed)", "relative update, mean over layers")
    chart = sheet(
        f"AGD, figure 5: against tuned Adam and SGD. {source.data}",
        f"{len(asked.layers) - 1} layers of width {asked.layers[1]}, {asked.iterations} full-batch iterations "
        f"({source.runs}); learning rates: lowest RMS of a log grid on a validation part, over seeds of its own. AGD "
        "starts from "
        "semi-orthogonal weights (its prescription 1), the others from Algorithm 1 of arXiv 2312.10672, with "
        f"Adam's epsilon at 1e-300. {PAPER}: width 256, CIFAR-10, mini-batches of 128, loss and accuracy.",
        [panel(*layers, title=head, width=220, height=190) for layers, head in zip(panels, heads, strict=True)],
        columns=2,
        legend=key(looks, label=lambda name: _tuned_label(name, records), lines=False),
    )
    return Picture("agd-figure5", chart, data)


def _optimiser_lines(data: pd.DataFrame, looks: Looks, y: alt.Y) -> list[alt.Chart]:
    """A line per optimiser and part, marked eight times."""
    every = max(1, len(chosen(data, {"part": "train"})) // data["optimiser"].nunique() // 8)
    place = data.groupby(["optimiser", "part"]).cumcount()
    table = spread(data, floor=data["mean"].min() / 2)[["optimiser", "part", "iteration", "mean", "low", "high"]]
    curves = alt.Chart(rows(table.assign(marked=(place % every == 0) & (data["part"] == "train")))).encode(
        x=axis(alt.X, "iteration", "iteration"), y=y, color=looks.colour("optimiser"), detail="part:N"
    )
    dashes = alt.StrokeDash("part:N", scale=_PART_DASHES, legend=None)
    marked = marks(curves.transform_filter("datum.marked"), size=50, shape=looks.shape("optimiser"))
    return [band(curves), line(curves, dash=dashes), marked]


def _tuned_label(optimiser: str, records: Sequence[Record]) -> str:
    run = next(run for run in records if run.request.optimiser == optimiser)
    if not run.provenance.tuning_runs:
        return f"{optimiser}\n(nothing to tune)"
    return f"{optimiser}\n(best of {run.provenance.tuning_runs}: {run.request.hyperparameters['learning_rate']:g})"


def grid_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Final test RMS: depths down, widths across."""
    rms = chosen(data, {"quantity": RMS, "part": "test"})
    final = rms[rms["iteration"] == rms["iteration"].max()]
    return final.pivot(index="depth", columns="width", values="mean").add_prefix("width ").reset_index()


def published_extremes() -> str:
    """The paper's best and worst cell, which are accuracies on images, in one line."""
    cells = _published("Figure 6")
    words = [f"{row['network']}: {row['agd']:g} % ({row['note']})" for row in cells.to_dict("records")]
    return f"Published, {cells['dataset'].iloc[0]}, {cells['metric'].iloc[0]}: {'; '.join(words)}."


def _published(source: str) -> pd.DataFrame:
    cells = published.table("agd", "results")
    return cells[cells["source"].str.contains(source)]


def figure6(records: Sequence[Record]) -> Picture:
    """Automatic learning rate, training and test RMS of AGD over iterations, by depth and width."""
    every = mean_curves(records, lambda run: {"depth": len(run.request.layers) - 1, "width": run.request.layers[1]})
    data = every[every["quantity"] != LOSS]
    source = origin(records)
    depths, looks = sorted(data["depth"].unique()), ordered_looks(sorted(data["width"].unique().tolist()))
    steps = chosen(data, {"quantity": STEP})
    span = steps["mean"].min() / 1.6, steps["mean"].max() * 1.6
    ends = decades(steps["mean"])
    rate = log_axis(alt.Y, "mean", "learning rate η", domain=span, values=ends, form=".0e")
    kinds: list[tuple[dict[str, str], Any, pd.DataFrame | None]] = [({"quantity": STEP, "part": "train"}, rate, None)]
    for part, words in (("train", "training"), ("test", "test")):
        trivials, rms = trivial(records, part), chosen(data, {"quantity": RMS, "part": part})
        span = 0.95 * rms["mean"].min(), _HIGHEST * trivials["rms"].max()
        y = axis(alt.Y, "mean", f"{words} RMS in {source.unit}", domain=span)
        kinds.append(({"quantity": RMS, "part": part}, y, trivials[trivials["rms"].between(*span)]))
    panels = []
    for where, y, known in kinds:
        for depth in depths:
            guides = [] if known is None else [levels(rows(known), align="left")]
            layers = _width_lines(chosen(data, where | {"depth": depth}), looks, y)
            panels.append(
                panel(*guides, *layers, title=f"depth {depth}" if known is None else "", width=95, height=125)
            )
    chart = sheet(
        f"AGD, figure 6: width and depth. {source.data}",
        f"Bias-free perceptrons, {records[0].request.iterations} full-batch iterations, {source.runs}; nothing is "
        "tuned. Dotted: predictors without an optimiser; the axes of the RMS end a little above the worst of them. "
        f"{PAPER}: widths 64 to 2048, depths 2 to 32, CIFAR-10, mini-batches of 128, accuracy.",
        panels,
        columns=len(depths),
        legend=key(looks, title="width", shapes=False),
    )
    return Picture("agd-figure6", chart, data)


def _width_lines(data: pd.DataFrame, looks: Looks, y: alt.Y) -> list[alt.Chart]:
    table = spread(data, floor=data["mean"].min() / 2)[["width", "iteration", "mean", "low", "high"]]
    last = int(data["iteration"].max())
    x = axis(alt.X, "iteration", "iteration", domain=(0, last), values=[0, last / 2, last])
    curves = alt.Chart(rows(table)).encode(x=x, y=y, color=looks.colour("width"))
    return [band(curves), line(curves, dash=looks.dash("width"))]


def mean_batches(seen: Rows) -> pd.DataFrame:
    """Mean and sd over seeds of what :func:`normbench.papers.agd.batches.batch_rows` gives.

    ``batch, epoch, quantity, mean, sd, seeds, low, high``; ``low`` and ``high`` are the extremes of the learning rate
    since the evaluation before, and NaN for the RMS.
    """
    every = pd.DataFrame(seen)
    groups = every.groupby(["batch", "epoch"], sort=False)
    tables = []
    for quantity in ("step_size", "train_rms", "test_rms"):
        table = groups[quantity].agg(mean="mean", sd="std", seeds="count").reset_index().assign(quantity=quantity)
        if quantity == "step_size":
            extremes = groups.agg(low=("step_size_low", "min"), high=("step_size_high", "max")).reset_index()
            table = table.merge(extremes, on=["batch", "epoch"])
        tables.append(table[table["seeds"] > 0])  # before the first step there is no learning rate
    return pd.concat(tables, ignore_index=True)


def batch_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Final RMS by batch size, and the paper's test accuracy on images where it prints one."""
    final = data[data["epoch"] == data["epoch"].max()]
    table = final.pivot(index="batch", columns="quantity", values="mean")[["train_rms", "test_rms"]].reset_index()
    cells = _published("Figure 7")
    accuracy = {
        int(words.rsplit(" ", 1)[1]): f"{value:g} %"
        for words, value in zip(cells["network"], cells["agd"], strict=True)
    }
    shown = [accuracy.get(int(batch), "") for batch in table["batch"]]
    return table.assign(**{"published test accuracy, CIFAR-10": shown})


def figure7(seen: Rows, source: Origin, *, network: str, epochs: int) -> Picture:
    """Automatic learning rate, training and test RMS of AGD over epochs, by batch size."""
    data = mean_batches(seen)
    looks = ordered_looks(sorted(data["batch"].unique().tolist()))
    steps = chosen(data, {"quantity": "step_size"})
    ends = decades([*steps["low"], *steps["high"]])
    axes = {
        "step_size": log_axis(alt.Y, "mean", "learning rate η", values=ends, form=".0e"),
        "train_rms": axis(alt.Y, "mean", f"training RMS in {source.unit}"),
        "test_rms": axis(alt.Y, "mean", f"test RMS in {source.unit}"),
    }
    chart = sheet(
        f"AGD, figure 7: batch size. {source.data}",
        f"Network {network}, {epochs} epochs of AGD on mini-batches in random order ({source.runs}; the largest "
        "batch is the whole training set). Learning rate: mean between evaluations, band from the least to the "
        f"greatest. {PAPER}: batches of 32 to 4096, CIFAR-10, accuracy.",
        [
            panel(*_batch_lines(chosen(data, {"quantity": name}), looks, y), width=150, height=180)
            for name, y in axes.items()
        ],
        columns=3,
        legend=key(looks, title="batch size"),
    )
    return Picture("agd-figure7", chart, data)


def _batch_lines(data: pd.DataFrame, looks: Looks, y: alt.Y) -> list[alt.Chart]:
    """A line per batch size; the band is that of the data, else one standard deviation."""
    table = data if data["low"].notna().any() else spread(data)
    place = table.groupby("batch").cumcount()
    every = max(1, len(table) // table["batch"].nunique() // 12)
    table = table.assign(marked=place % every == 0)[["batch", "epoch", "mean", "low", "high", "marked"]]
    curves = alt.Chart(rows(table)).encode(x=axis(alt.X, "epoch", "epoch"), y=y, color=looks.colour("batch"))
    marked = marks(curves.transform_filter("datum.marked"), size=40, shape=looks.shape("batch"))
    return [band(curves), line(curves, dash=looks.dash("batch")), marked]
