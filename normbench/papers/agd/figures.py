"""Figures 5 to 7 of arXiv 2304.05187 on the benchmark's regression: tuned rivals, width and depth, batch size."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes

from normbench import published
from normbench.analysis.curves import LOSS, RMS, STEP, mean_curves
from normbench.presentation.figures.style import (
    TWO_COLUMNS,
    Looks,
    Origin,
    Picture,
    Rows,
    band,
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

PAPER = "arXiv 2304.05187"
UPDATE = "relative update"
_HIGHEST = 1.1  # times the zero predictor's RMS: where curves may leave the panel


def mean_updates(rows: Rows) -> pd.DataFrame:
    """Means of ||dW_k||_F / ||W_k||_F over layers, then mean and sd over seeds; columns as :func:`mean_curves`."""
    layers = pd.DataFrame(rows).groupby(["optimiser", "seed", "iteration"], sort=False)["relative_update"].mean()
    seeds = layers.groupby(["optimiser", "iteration"], sort=False)
    table = seeds.agg(mean="mean", sd="std", seeds="count").reset_index()
    return table.assign(quantity=UPDATE, part="train")


def chosen_runs(records: Sequence[Record]) -> list[Record]:
    """AGD's runs, and those of the others at the learning rate that their search has chosen."""
    return [run for run in records if run.optimiser == "agd" or run.tuning_runs > 0]


def rivals_summary(records: Iterable[Record]) -> pd.DataFrame:
    """Final RMS by optimiser, mean over seeds, beside the learning rate that was found."""
    rows = pd.DataFrame(
        {
            "optimiser": run.optimiser,
            "learning rate": f"{run.hyperparameters['learning_rate']:g}" if run.tuning_runs else "automatic",
            "tuning runs": run.tuning_runs,
            "train RMS": run.train_rms,
            "test RMS": run.test_rms,
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
    curves = mean_curves(records, lambda run: {"optimiser": run.optimiser})
    data = pd.concat([curves[curves["quantity"] == RMS], mean_updates(updates)], ignore_index=True)
    source, first = origin(records), records[0]
    with printed():
        figure, (panels,) = canvas(1, 2, width=TWO_COLUMNS, height=3.0)
        looks = optimiser_looks(data["optimiser"].unique())
        for panel, quantity in zip(panels, (RMS, UPDATE), strict=True):
            _optimiser_lines(panel, data[data["quantity"] == quantity], looks)
        panels[0].set(title="train (solid), test (dashed)", xlabel="iteration", ylabel=f"RMS in {source.unit}")
        panels[1].set(
            title="relative update, mean over layers",
            xlabel="iteration",
            ylabel=r"$\|\Delta W_k\|_F\ /\ \|W_k\|_F$",
            yscale="log",
        )
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, [_tuned_label(label, records) for label in labels], loc="outside right center")
        entitle(
            figure,
            f"AGD, figure 5: against tuned Adam and SGD. {source.data}",
            f"{len(first.layers) - 1} layers of width {first.layers[1]}, {first.iterations} full-batch iterations "
            f"({source.runs}); learning rates: lowest training RMS of a log grid, on one seed. AGD starts from "
            "semi-orthogonal weights (its prescription 1), the others from Algorithm 1 of arXiv 2312.10672, with "
            f"Adam's epsilon at 1e-300. {PAPER}: width 256, CIFAR-10, mini-batches of 128, loss and accuracy.",
        )
    return Picture("agd-figure5", figure, data)


def _optimiser_lines(panel: Axes, data: pd.DataFrame, looks: Looks) -> None:
    for optimiser, rows in data.groupby("optimiser", sort=False):
        colour, marker = looks.palette[optimiser], looks.markers[optimiser]
        for part, line in rows.groupby("part", sort=False):
            panel.plot(
                line["iteration"], line["mean"], color=colour, marker=marker, markevery=max(1, len(line) // 8),
                linestyle="-" if part == "train" else (0, (3, 1.5)), label=optimiser if part == "train" else None,
            )  # fmt: skip
            band(panel, line, x="iteration", colour=colour)
    finish(panel)


def _tuned_label(optimiser: str, records: Sequence[Record]) -> str:
    run = next(run for run in records if run.optimiser == optimiser)
    if not run.tuning_runs:
        return f"{optimiser}\n(nothing to tune)"
    return f"{optimiser}\n(best of {run.tuning_runs}: {run.hyperparameters['learning_rate']:g})"


def grid_summary(data: pd.DataFrame) -> pd.DataFrame:
    """Final test RMS: depths down, widths across."""
    chosen = data[(data["quantity"] == RMS) & (data["part"] == "test")]
    final = chosen[chosen["iteration"] == chosen["iteration"].max()]
    return final.pivot(index="depth", columns="width", values="mean").add_prefix("width ").reset_index()


def published_extremes() -> str:
    """The paper's best and worst cell, which are accuracies on images, in one line."""
    cells = _published("Figure 6")
    words = [f"{row['network']}: {row['agd']:g} % ({row['note']})" for row in cells.to_dict("records")]
    return f"Published, {cells['dataset'].iloc[0]}, {cells['metric'].iloc[0]}: {'; '.join(words)}."


def _published(source: str) -> pd.DataFrame:
    cells = published.table("agd_results")
    return cells[cells["source"].str.contains(source)]


def figure6(records: Sequence[Record]) -> Picture:
    """Automatic learning rate, training and test RMS of AGD over iterations, by depth and width."""
    every = mean_curves(records, lambda run: {"depth": len(run.layers) - 1, "width": run.layers[1]})
    data = every[every["quantity"] != LOSS]
    source = origin(records)
    depths, looks = sorted(data["depth"].unique()), ordered_looks(sorted(data["width"].unique()))
    kinds = ((STEP, "train"), (RMS, "train"), (RMS, "test"))
    with printed():
        figure, panels = canvas(3, len(depths), width=TWO_COLUMNS, height=5.4, sharex=True, sharey="row")
        for row, (quantity, part) in zip(panels, kinds, strict=True):
            chosen = data[(data["quantity"] == quantity) & (data["part"] == part)]
            for panel, depth in zip(row, depths, strict=True):
                _width_lines(panel, chosen[chosen["depth"] == depth], looks)
                if quantity == RMS:
                    panel.set_ylim(0.95 * chosen["mean"].min(), _HIGHEST * trivial_levels(panel, records, part))
        for panel, depth in zip(panels[0], depths, strict=True):
            panel.set(title=f"depth {depth}", yscale="log")
        for panel in panels[-1]:
            panel.set_xlabel("iteration")
        for panel, label in zip(
            panels[:, 0],
            (r"learning rate $\eta$", f"training RMS in {source.unit}", f"test RMS in {source.unit}"),
            strict=True,
        ):
            panel.set_ylabel(label)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", title="width")
        entitle(
            figure,
            f"AGD, figure 6: width and depth. {source.data}",
            f"Bias-free perceptrons, {records[0].iterations} full-batch iterations, {source.runs}; nothing is tuned. "
            "Dotted: predictors without an optimiser; the axes of the RMS end a little above the worst of them. "
            f"{PAPER}: widths 64 to 2048, depths 2 to 32, CIFAR-10, mini-batches of 128, accuracy.",
        )
    return Picture("agd-figure6", figure, data)


def _width_lines(panel: Axes, data: pd.DataFrame, looks: Looks) -> None:
    lines(panel, data, x="iteration", by="width", looks=looks)
    for width, rows in data.groupby("width"):
        band(panel, rows, x="iteration", colour=looks.palette[width])
    panel.set(xlabel="", ylabel="")
    finish(panel)


def mean_batches(rows: Rows) -> pd.DataFrame:
    """Mean and sd over seeds of what :class:`normbench.papers.agd.minibatch.MinibatchJob` saw.

    ``batch, epoch, quantity, mean, sd, seeds, low, high``; ``low`` and ``high`` are the extremes of the learning rate
    since the evaluation before, and NaN for the RMS.
    """
    every = pd.DataFrame(rows)
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


def figure7(rows: Rows, source: Origin, *, network: str, epochs: int) -> Picture:
    """Automatic learning rate, training and test RMS of AGD over epochs, by batch size."""
    data = mean_batches(rows)
    looks = ordered_looks(sorted(data["batch"].unique()))
    with printed():
        figure, (panels,) = canvas(1, 3, width=TWO_COLUMNS, height=2.9)
        labels = (r"learning rate $\eta$", f"training RMS in {source.unit}", f"test RMS in {source.unit}")
        for panel, quantity, label in zip(panels, ("step_size", "train_rms", "test_rms"), labels, strict=True):
            _batch_lines(panel, data[data["quantity"] == quantity], looks)
            panel.set(xlabel="epoch", ylabel=label)
        panels[0].set_yscale("log")
        handles, names = panels[1].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right center", title="batch size")
        entitle(
            figure,
            f"AGD, figure 7: batch size. {source.data}",
            f"Network {network}, {epochs} epochs of AGD on mini-batches in random order ({source.runs}; the largest "
            "batch is the whole training set). Learning rate: mean between evaluations, band from the least to the "
            f"greatest. {PAPER}: batches of 32 to 4096, CIFAR-10, accuracy.",
        )
    return Picture("agd-figure7", figure, data)


def _batch_lines(panel: Axes, data: pd.DataFrame, looks: Looks) -> None:
    lines(panel, data, x="epoch", by="batch", looks=looks, marked=True)
    for batch, rows in data.groupby("batch"):
        colour = looks.palette[batch]
        if rows["low"].notna().any():
            panel.fill_between(rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
        else:
            band(panel, rows, x="epoch", colour=colour)
    finish(panel)
