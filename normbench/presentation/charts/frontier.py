"""The frontier: test RMS over the certified bound, a line for each way of training, and how they compare at each."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from normbench.analysis.frontier import Frontier
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.presentation.charts.base import Frame, compiled, ticks
from normbench.presentation.charts.data import SharedRows, rows
from normbench.presentation.charts.frontier_data import SIDE, Drawn, drawn, numbers
from normbench.presentation.charts.lines import levels
from normbench.presentation.charts.sheet import Picture, key, panel, sheet
from normbench.presentation.frontiers import evaluations, span
from normbench.presentation.labels import network_tag

NAME = "frontier"  # what the files of a picture begin with
_WIDTH, _NARROW, _HEIGHT, _PAGE_HEIGHT = 360, 250, 300, 420  # pixels
_LEGEND_COLUMN = 250  # pixels of the page
_BAND, _FAINT = 0.14, 0.08  # opacity
_WORST = 25.0  # per cent: what is worse would press the others together


def error_layers(points: alt.Chart, found: Drawn, *, unit: str, gains: Sequence[float], legend: Any) -> list[Any]:
    """Test RMS: grey lines, bands, lines and marks; ways without a bound are marks without a line.

    Parameters
    ----------
    points : Chart
        Rows of :attr:`Drawn.points`.
    found : Drawn
    unit : str
    gains : sequence of float
        Ticks of the bound.
    legend : alt.Legend or None
        None where a key stands beside the chart.
    """
    y = alt.Y(
        "rms:Q",
        scale=alt.Scale(type="log", domain=list(found.domain), nice=False),
        axis=alt.Axis(title=f"test RMS in {unit}", format="~g", values=ticks(found.domain)),
    )
    title = f"certified Lipschitz bound in {unit} per unit-norm input"
    placed = points.encode(x=_bound(found.bounds, gains, title), y=y)
    free = "datum.kind == 'no bound'"
    grey = placed.transform_filter(f"!datum.shown && !({free})").mark_line(
        color="var(--muted)", strokeWidth=0.8, opacity=0.5, clip=True, aria=False
    )
    others = placed.transform_filter(f"!datum.shown && {free}").mark_point(
        color="var(--muted)", size=40, opacity=0.7, clip=True, aria=False
    )
    shown = placed.transform_filter("datum.shown")
    joined = shown.transform_filter(f"!({free})")
    tooltip = [
        alt.Tooltip("name:N", title="way"),
        alt.Tooltip("rms:Q", title=f"test RMS in {unit}", format=".4f"),
        alt.Tooltip("low:Q", format=".4f"),
        alt.Tooltip("high:Q", format=".4f"),
        alt.Tooltip("bound:Q", format=".4~g"),
        alt.Tooltip("certificate:Q", format=".4~g"),
        alt.Tooltip("seeds:Q"),
    ]
    drawn = _named_layers(joined, found, shown, band="datum.banded", opacity=_BAND, legend=legend, tooltip=tooltip)
    return [grey.encode(detail="name:N", order="place:Q"), others, *drawn]


def excess_layers(points: alt.Chart, found: Drawn, *, bounds: Sequence[float], legend: Any) -> list[Any]:
    """How much worse than the best at each bound, with the intervals of the paired differences.

    Parameters as :func:`error_layers`; ``points`` are the rows of :attr:`Drawn.excess`.
    """
    top = min(max([1.0, *(row["excess"] for row in found.excess)]), _WORST)
    y = alt.Y(
        "excess:Q",
        scale=alt.Scale(domain=[-0.05 * top, 1.05 * top], nice=False),
        axis=alt.Axis(title="worse than the best, %", tickCount=6),
    )
    placed = points.encode(x=_bound((bounds[0] / SIDE, bounds[-1] * SIDE), bounds, "certified Lipschitz bound"), y=y)
    tooltip = [
        alt.Tooltip("name:N", title="way"),
        alt.Tooltip("bound:Q", format="~g"),
        *(alt.Tooltip(f"{field}:Q", format="+.2f") for field in ("excess", "low", "high")),
    ]
    return _named_layers(placed, found, placed, band="true", opacity=_FAINT, legend=legend, tooltip=tooltip)


def _named_layers(
    joined: alt.Chart, found: Drawn, marked: alt.Chart, *, band: str, opacity: float, legend: Any, tooltip: Any
) -> list[Any]:
    """Bands of the rows for which ``band`` holds, lines through the joined rows, and a mark on each marked one."""
    looks = found.looks
    apart = {"color": alt.Color("name:N", scale=looks.colours, legend=legend), "detail": alt.Detail("name:N")}
    dash = alt.StrokeDash("name:N", scale=looks.dashes, legend=legend)
    shape = alt.Shape("name:N", scale=looks.shapes, legend=legend)
    area = joined.transform_filter(band).mark_area(clip=True, aria=False, opacity=opacity)
    line = joined.mark_line(clip=True, aria=False, strokeWidth=1.8)
    mark = marked.mark_point(filled=True, size=50, opacity=1, clip=True)
    return [
        area.encode(y="low:Q", y2="high:Q", **apart),
        line.encode(strokeDash=dash, order="place:Q", **apart),
        mark.encode(shape=shape, tooltip=tooltip, **apart),
    ]


def _bound(domain: Sequence[float], values: Sequence[float], title: str) -> alt.X:
    return alt.X(
        "bound:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(title=title, format="~g", values=list(values)),
    )


def _gains(frontier: Frontier, found: Drawn) -> list[float]:
    """The bounds that were asked for, and round ones beyond them up to the last certificate."""
    low, high = found.bounds
    asked = [bound for bound in frontier.bounds if low < bound < high]
    beyond = (factor * 10.0**k for k in range(-3, 9) for factor in (1, 3))
    apart = (v for v in beyond if low < v < high and all(abs(math.log(v / b)) > math.log(1.9) for b in asked))
    return sorted([*asked, *apart])


def error_chart(frontier: Frontier, found: Drawn, frame: Frame) -> dict[str, Any]:
    """Vega specification of :func:`error_layers`; the page fills the data "frontier" and "levels"."""
    points, gains = alt.Chart(alt.NamedData("frontier")), _gains(frontier, found)
    layers = error_layers(points, found, unit=frame.unit, gains=gains, legend=_legend())
    return compiled(alt.layer(levels(alt.NamedData("levels")), *layers), frame, height=_PAGE_HEIGHT)


def excess_chart(frontier: Frontier, found: Drawn, frame: Frame) -> dict[str, Any]:
    """Vega specification of :func:`excess_layers`; the page fills the data "excess"."""
    points = alt.Chart(alt.NamedData("excess"))
    layers = excess_layers(points, found, bounds=frontier.bounds, legend=_legend())
    return compiled(alt.layer(*layers), frame, height=_PAGE_HEIGHT)


def _legend() -> alt.Legend:
    """Under the chart of the page, in as many columns as fit."""
    return alt.Legend(
        title=None,
        orient="bottom",
        columns=alt.ExprRef(f"max(1, floor(containerSize()[0] / {_LEGEND_COLUMN}))"),
        labelLimit=_LEGEND_COLUMN,
        labelFontSize=12,
        labelColor="var(--text)",
        symbolOpacity=1,  # not that of the bands
        symbolSize=80,
        symbolStrokeWidth=2,
    )


def frontier_picture(frontier: Frontier, *, name: str) -> Picture:
    """Both charts in print, their key beside them."""
    found, first = drawn(frontier), frontier.first
    points, excess = (alt.Chart(SharedRows(values=values)) for values in (found.points, found.excess))
    trivial = rows(pd.DataFrame(found.trivial, columns=["predictor", "rms"]))
    gains = _gains(frontier, found)
    errors = error_layers(points, found, unit=first.outcome.unit, gains=gains, legend=None)
    differences = excess_layers(excess, found, bounds=frontier.bounds, legend=None)
    chart = sheet(
        f"Test error at a certified Lipschitz bound: {first.request.task}, "
        f"{origin(first.provenance.simulated, first.request.task)} data",
        f"Network {layers_text(first.request.layers)}, {first.request.split} split, {evaluations(frontier.budget)}, "
        f"seeds {span(frontier.seeds)}. The certificate of every network is at most its bound; sweeps stand at their "
        "own, and so do marks alone, for which no bound was asked. Left: means over seeds; bands, of the leading way "
        "and of sweeps alone, are 95 % bootstrap intervals, most of which is what the splits differ in. Right: "
        "geometric mean over seeds of the ratio to the best at each bound, and the 95 % interval of the paired "
        "difference. Grey: other ways. Dotted: predictors without an optimiser. Axes of bounds and RMS are "
        "logarithmic.",
        [
            panel(levels(trivial), *errors, title="test RMS", width=_WIDTH, height=_HEIGHT),
            panel(*differences, title="compared at each bound", width=_NARROW, height=_HEIGHT),
        ],
        columns=2,
        legend=key(found.looks),
    )
    return Picture(name, chart, numbers(found))


def frontier_pictures(frontiers: Sequence[Frontier]) -> list[Picture]:
    """One picture each, called by its task, split and budget."""
    return [frontier_picture(frontier, name=file_name(frontier)) for frontier in frontiers]


def file_name(frontier: Frontier) -> str:
    """``frontier-neural-fly-12-25-30-15-3-blocked-200``: what tells it from every other."""
    return f"{NAME}-{network_tag(frontier.first)}-{frontier.budget:g}"
