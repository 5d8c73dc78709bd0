"""The two experiments of arXiv 2312.10672: learning curves of both methods, and heat maps over depth and width."""

import math
from collections.abc import Iterable, Sequence

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normbench import published
from normbench.analysis.curves import LOSS, RMS, STEP, mean_curves
from normbench.papers.reproduce import Cell, experiment1_cells, experiment2_cells
from normbench.presentation.figures.style import (
    GUIDE,
    SEQUENTIAL,
    TWO_COLUMNS,
    Picture,
    band,
    canvas,
    entitle,
    finish,
    optimiser_looks,
    origin,
    printed,
)
from normbench.records.schema import Record


def experiment1(records: Sequence[Record]) -> Picture:
    """Loss, RMS and step size of methods 1 and 2 over iterations, mean and one standard deviation over seeds."""
    data = mean_curves(records, lambda run: {"optimiser": run.optimiser})
    source = origin(records)
    with printed():
        figure, panels = canvas(2, 3, width=TWO_COLUMNS, height=4.2)
        for row, cells in zip(panels, _table1(records), strict=True):
            _method_row(row, data[data["optimiser"] == cells[0].name], cells, source.unit)
        layers = "-".join(map(str, records[0].layers))
        entitle(
            figure,
            f"Experiment 1 of arXiv 2312.10672 (its figure 1): {source.data}",
            f"Mean and 1 sd over seeds ({source.runs}), network {layers}, full batch. Loss: normalised by Algorithm 1. "
            "Step size: tau, an angle; where its sd exceeds its mean, the band reaches the axis. Bars at the right of "
            "RMS: Table 1 of the paper, mean and sd of 40 seeds on the real flight table.",
        )
    return Picture("experiment1", figure, data)


def _table1(records: Sequence[Record]) -> list[list[Cell]]:
    """Training and test cell of each method."""
    cells = experiment1_cells(records)
    return [list(pair) for pair in zip(cells[::2], cells[1::2], strict=True)]


def _method_row(panels: Sequence[Axes], data: pd.DataFrame, cells: Sequence[Cell], unit: str) -> None:
    method = cells[0].name
    colour = optimiser_looks([method]).palette[method]
    units = {LOSS: "loss", RMS: f"RMS in {unit}", STEP: "step size in rad"}
    for panel, quantity in zip(panels, (LOSS, RMS, STEP), strict=True):
        chosen = data[data["quantity"] == quantity]
        _mean_lines(panel, chosen, colour)
        panel.set(title=f"{method}: {quantity}", xlabel="iteration", ylabel=units[quantity])
        finish(panel)
        if quantity != RMS:
            panel.set_yscale("log")
            panel.set_ylim(chosen["mean"].min() / 1.6, chosen["mean"].max() * 1.6)
        panel.set_xlim(0, 1.13 * chosen["iteration"].max())
    _published_ends(panels[1], data, cells)
    panels[0].legend(title=None)


def _mean_lines(panel: Axes, data: pd.DataFrame, colour: str) -> None:
    shades = {"train": colour, "test": "0.15"}
    sns.lineplot(
        data, x="iteration", y="mean", hue="part", style="part", palette=shades, dashes={"train": "", "test": (3, 1.5)},
        errorbar=None, legend=data["part"].nunique() > 1, ax=panel,
    )  # fmt: skip
    for part, rows in data.groupby("part", sort=False):
        band(panel, rows, x="iteration", colour=shades[str(part)])


def _published_ends(panel: Axes, data: pd.DataFrame, cells: Sequence[Cell]) -> None:
    """Table 1's figures a little to the right of the last iteration, training before test."""
    last = data["iteration"].max()
    for cell, place, marker in zip(cells, (1.05, 1.1), ("s", "o"), strict=True):
        panel.errorbar(
            last * place, cell.published.mean, cell.published.sd, color=GUIDE, marker=marker, markersize=2.5, capsize=2,
            linewidth=0.8, linestyle="", label=f"published {cell.quantity.split()[0]}",
        )  # fmt: skip
    panel.legend(*(entries[2:] for entries in panel.get_legend_handles_labels()), title=None)
    settled = data[(data["quantity"] == RMS) & (data["iteration"] > 0.05 * last)]["mean"]
    low, high = settled.min(), settled.max()
    panel.set_ylim(low - 0.25 * (high - low), high + 0.4 * (high - low))


def heat_values(cells: Iterable[Cell]) -> pd.DataFrame:
    """``quantity, depth, width, source, mean, sd, seeds``; quantities "train RMS", "test RMS", "seconds"."""
    rows = []
    for cell in cells:
        depth, width = (int(word.split()[1]) for word in cell.name.split(", "))
        where = {"depth": depth, "width": width}
        for source, figure, seconds in (
            ("measured", cell.measured, cell.seconds),
            ("published", cell.published, cell.published_seconds),
        ):
            named = where | {"source": source, "seeds": figure.count}
            rows.append(named | {"quantity": cell.quantity, "mean": figure.mean, "sd": figure.sd})
            if cell.quantity == "train RMS":
                rows.append(named | {"quantity": "seconds", "mean": seconds, "sd": math.nan})
    return pd.DataFrame(rows)[["quantity", "depth", "width", "source", "mean", "sd", "seeds"]]


def experiment2(records: Sequence[Record]) -> Picture:
    """Training RMS, test RMS and seconds of method 1 over depth and width, measured above published."""
    data = heat_values(experiment2_cells(records))
    source = origin(records)
    with printed():
        figure, panels = canvas(2, 3, width=TWO_COLUMNS, height=4.6)
        for column, quantity in zip(panels.T, ("train RMS", "test RMS", "seconds"), strict=True):
            _heat_column(figure, column, data[data["quantity"] == quantity], quantity, source.unit)
        entitle(
            figure,
            f"Experiment 2 of arXiv 2312.10672 (its figure 2): {source.data}",
            f"Method 1, 200 iterations, full batch; means over seeds; depth counts weight matrices. Measured: "
            f"{source.runs}, {_machine(records[0])}. Published: 40 seeds on the real flight table, Apple M1; the sd of "
            f"its seconds exceeds their mean in {_unsteady()} of {len(published.experiment2())} cells. One colour "
            "scale per column.",
        )
    return Picture("experiment2", figure, data)


def _machine(run: Record) -> str:
    return f"{run.environment.get('cpu', 'unknown processor')}, {run.threads} thread{'' if run.threads == 1 else 's'}"


def _unsteady() -> int:
    """Cells of the paper whose seconds have an sd above their mean."""
    cells = published.experiment2()
    return int((cells["time_std_s"] > cells["time_mean_s"]).sum())


def _heat_column(figure: Figure, panels: Sequence[Axes], data: pd.DataFrame, quantity: str, unit: str) -> None:
    low, high = data["mean"].min(), data["mean"].max()
    logarithmic = quantity == "seconds"
    norm = mpl.colors.LogNorm(low, high) if logarithmic else mpl.colors.Normalize(low, high)
    for panel, source in zip(panels, ("measured", "published"), strict=True):
        table = data[data["source"] == source].pivot(index="depth", columns="width", values="mean")
        sns.heatmap(
            table, norm=norm, cmap=SEQUENTIAL, annot=True, fmt=".3g" if logarithmic else ".3f", cbar=False, ax=panel,
            annot_kws={"size": 6.5}, linewidths=0.4,
        )  # fmt: skip
        label = "seconds a run" if logarithmic else f"{quantity} in {unit}"
        panel.set(title=f"{label}, {source}", xlabel="width", ylabel="depth")
        panel.tick_params(length=0, rotation=0)
    figure.colorbar(mpl.cm.ScalarMappable(norm, SEQUENTIAL), ax=list(panels), location="bottom", aspect=30, pad=0.03)
