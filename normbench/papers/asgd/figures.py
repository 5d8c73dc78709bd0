"""The two experiments of arXiv 2312.10672: learning curves of both methods, and heat maps over depth and width."""

import math
from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from normbench.analysis.curves import LOSS, RMS, STEP, mean_curves
from normbench.networks.families import layers_text
from normbench.papers.asgd import published
from normbench.papers.asgd.tables import Cell, experiment1_cells, experiment2_cells
from normbench.presentation.charts.axes import axis, log_axis
from normbench.presentation.charts.base import Layers
from normbench.presentation.charts.data import chosen, rows, spread
from normbench.presentation.charts.heatmaps import heat_map
from normbench.presentation.charts.lines import band, bars, line, marks
from normbench.presentation.charts.looks import Looks, chosen_looks
from normbench.presentation.charts.sheet import Picture, key, origin, panel, sheet
from normbench.presentation.palette import variable
from normbench.records.schema import Record

_WIDTH, _HEIGHT = 160, 130
_PARTS = ("train", "test")


def experiment1(records: Sequence[Record]) -> Picture:
    """Loss, RMS and step size of methods 1 and 2 over iterations, mean and one standard deviation over seeds."""
    ordered = sorted(records, key=lambda run: list(published.ITERATIONS).index(run.request.optimiser))
    data = mean_curves(ordered, lambda run: {"optimiser": run.request.optimiser})
    source = origin(records)
    panels = [
        drawn
        for cells in _table1(records)
        for drawn in _method_row(chosen(data, {"optimiser": cells[0].name}), cells, source.unit)
    ]
    layers = layers_text(records[0].request.layers)
    chart = sheet(
        f"Experiment 1 of arXiv 2312.10672 (its figure 1): {source.data}",
        f"Mean and 1 sd over seeds ({source.runs}), network {layers}, full batch; solid: training, dashed: test. "
        "Loss: normalised by Algorithm 1. Step size: tau, an angle; where its sd exceeds its mean, the band reaches "
        "the axis. Marks at the right of RMS: Table 1 of the paper, mean and sd of 40 seeds on the real flight "
        "table, training (circle) before test (square).",
        panels,
        columns=3,
        legend=key(chosen_looks([("train", "var(--muted)", 0), ("test", "var(--text)", 1)])),
    )
    return Picture("experiment1", chart, data)


def _table1(records: Sequence[Record]) -> list[list[Cell]]:
    """Training and test cell of each method."""
    cells = experiment1_cells(records)
    return [list(pair) for pair in zip(cells[::2], cells[1::2], strict=True)]


def _method_row(data: pd.DataFrame, cells: Sequence[Cell], unit: str) -> list[Layers]:
    method, last = cells[0].name, data["iteration"].max()
    looks = chosen_looks([("train", variable(method), 0), ("test", "var(--text)", 1)])
    units = {LOSS: "loss", RMS: f"RMS in {unit}", STEP: "step size in rad"}
    panels = []
    for quantity, words in units.items():
        curves = chosen(data, {"quantity": quantity})
        domain = _settled(curves, last) if quantity == RMS else (curves["mean"].min() / 1.6, curves["mean"].max() * 1.6)
        x = axis(alt.X, "iteration", "iteration", domain=(0, 1.13 * last), values=[0, last / 2, last])
        if quantity == RMS:
            y = axis(alt.Y, "mean", words, domain=domain)
        else:
            y = log_axis(alt.Y, "mean", words, domain=domain, values=_round(*domain), form=".0e")
        layers = _mean_lines(spread(curves, floor=domain[0]), looks, x, y)
        if quantity == RMS:
            layers += _published_ends(cells, last, y, looks)
        panels.append(panel(*layers, title=f"{method}: {quantity}", width=_WIDTH, height=_HEIGHT))
    return panels


def _mean_lines(curves: pd.DataFrame, looks: Looks, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    drawn = alt.Chart(rows(curves[["part", "iteration", "mean", "low", "high"]]))
    drawn = drawn.encode(x=x, y=y, color=looks.colour("part"))
    return [band(drawn), line(drawn, dash=looks.dash("part"))]


def _published_ends(cells: Sequence[Cell], last: int, y: alt.Y, looks: Looks) -> list[alt.Chart]:
    """Table 1's figures a little to the right of the last iteration, training before test."""
    table = pd.DataFrame(
        {"part": part, "iteration": last * place, "mean": cell.published.mean, "sd": cell.published.sd}
        for part, cell, place in zip(_PARTS, cells, (1.05, 1.1), strict=True)
    )
    ends = alt.Chart(rows(spread(table))).encode(x="iteration:Q", y=y, color=looks.colour("part"))
    return [bars(ends), marks(ends, size=40, shape=looks.shape("part"))]


def _round(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten in a range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    steps = (1, 2, 5) if len(powers) < 3 else (1,)
    return [value for k in powers for value in (float(f"{step}e{k}") for step in steps) if low <= value <= high]


def _settled(curves: pd.DataFrame, last: int) -> tuple[float, float]:
    """RMS after the first steps, with room for the bands."""
    settled = curves[curves["iteration"] > 0.05 * last]["mean"]
    low, high = settled.min(), settled.max()
    return low - 0.25 * (high - low), high + 0.4 * (high - low)


def heat_values(cells: Iterable[Cell]) -> pd.DataFrame:
    """``quantity, depth, width, source, mean, sd, seeds``; quantities "train RMS", "test RMS", "seconds"."""
    values = []
    for cell in cells:
        where = cell.size
        for source, figure, seconds in (
            ("measured", cell.measured, cell.seconds),
            ("published", cell.published, cell.published_seconds),
        ):
            named = where | {"source": source, "seeds": figure.count}
            values.append(named | {"quantity": cell.quantity, "mean": figure.mean, "sd": figure.sd})
            if cell.part == "train":
                values.append(named | {"quantity": "seconds", "mean": seconds, "sd": math.nan})
    return pd.DataFrame(values)[["quantity", "depth", "width", "source", "mean", "sd", "seeds"]]


def experiment2(records: Sequence[Record]) -> Picture:
    """Training RMS, test RMS and seconds of method 1 over depth and width, measured above published."""
    data = heat_values(experiment2_cells(records))
    source = origin(records)
    titles = {
        "train RMS": f"train RMS in {source.unit}",
        "test RMS": f"test RMS in {source.unit}",
        "seconds": "seconds a run",
    }
    panels = [
        _heat(chosen(data, {"quantity": quantity}), quantity, origin_, f"{words}, {origin_}")
        for origin_ in ("measured", "published")
        for quantity, words in titles.items()
    ]
    chart = sheet(
        f"Experiment 2 of arXiv 2312.10672 (its figure 2): {source.data}",
        f"Method 1, 200 iterations, full batch; means over seeds; depth counts weight matrices. Measured: "
        f"{source.runs}, {_machine(records[0])}. Published: 40 seeds on the real flight table, Apple M1; the sd of "
        f"its seconds exceeds their mean in {_unsteady()} of {len(published.experiment2())} cells. One colour scale "
        "per column, seconds logarithmic; the darker, the more.",
        panels,
        columns=3,
    )
    return Picture("experiment2", chart, data)


def _heat(data: pd.DataFrame, quantity: str, source: str, title: str) -> Layers:
    drawn = chosen(data, {"source": source})
    ends = data["mean"].min(), data["mean"].max()
    cells = heat_map(rows(drawn[drawn["mean"].notna()]), quantity=quantity, domain=ends)
    return panel(cells, title=title, width=180, height=120)


def _machine(run: Record) -> str:
    made = run.provenance
    return (
        f"{made.environment.get('cpu', 'unknown processor')}, {made.threads} thread{'' if made.threads == 1 else 's'}"
    )


def _unsteady() -> int:
    """Cells of the paper whose seconds have an sd above their mean."""
    cells = published.experiment2()
    return int((cells["time_std_s"] > cells["time_mean_s"]).sum())
