"""Accuracy against the Lipschitz bound, with the front of what nothing beats in both."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from normbench.presentation.charts.base import (
    SHOWN,
    Frame,
    colour,
    compiled,
    control,
    faded,
    levels,
    narrow,
    picked,
    shape,
    ticks,
)

_BY_BOUND: list[alt.SortField | dict[str, str]] = [alt.SortField("bound"), alt.SortField("rms")]
_APART = "(narrow ? 1.6 : 1.08)"  # names of marks closer than this factor would lie on each other
_CROWDED = (
    "datum.bound < 1.7 * datum.before && datum.rms > 0.95 * datum.above"  # then names go below their marks, in turns
)
_LEVEL_HEIGHT = 14  # pixels
_HEIGHT = 420
_RIGHT = "scale('x', datum.bound) > width / 2"  # there a name would run off the chart


def bound_chart(
    frame: Frame,
    *,
    unit: str,
    domain: tuple[float, float],
    certified: bool,
    optimisers: Sequence[str],
    backends: Sequence[str],
) -> dict[str, Any]:
    """Vega specification; the page fills the data "bounds" and "levels".

    Parameters
    ----------
    frame : Frame
    unit : str
    domain : tuple of float
        Test RMS at the lower and upper edge.
    certified : bool
        True if any point has a measured ratio to draw.
    optimisers, backends : sequence of str
    """
    points = (
        alt.Chart(alt.NamedData("bounds"))
        .transform_filter(SHOWN)
        .transform_window(lowest="min(rms)", groupby=["backend"], sort=_BY_BOUND, frame=[None, 0])
        .transform_calculate(front="datum.rms <= datum.lowest")
    )
    x = alt.X(
        "bound:Q",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(title=f"Lipschitz bound in {unit} per unit-norm input", tickCount=6),
    )
    y = alt.Y(
        "rms:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(title=f"test RMS in {unit}", format="~g", values=ticks(domain)),
    )
    front = (
        points.transform_filter("datum.front")
        .mark_line(interpolate="step-after", color="var(--muted)", strokeWidth=1.5, clip=True, aria=False)
        .encode(x=x, y=y, detail="backend:N")
    )
    slack = (
        points.transform_filter("isValid(datum.measured)")
        .mark_rule(strokeWidth=1.5, clip=True, aria=False)
        .encode(x=x, x2="measured:Q", y=y, color=colour(optimisers), opacity=faded(0.45))
    )
    spread = points.mark_rule(strokeWidth=1.5, clip=True, aria=False).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour(optimisers), opacity=faded(0.8)
    )
    marks = points.mark_point(filled=True, size=110, stroke="var(--surface)", strokeWidth=1, clip=True).encode(
        x=x,
        y=y,
        color=colour(optimisers),
        shape=shape(backends),
        opacity=faded(),
        tooltip=[
            alt.Tooltip("way:N", title="optimiser"),
            alt.Tooltip("backend:N"),
            alt.Tooltip("rms:Q", title=f"test RMS in {unit}", format=".4f"),
            alt.Tooltip("bound:Q", format=".4~g"),
            alt.Tooltip("measured:Q", title="largest measured ratio", format=".4~g"),
            alt.Tooltip("seeds:Q"),
        ],
    )
    names = (
        points.transform_filter(f"datum.front && (backend != 'both' || datum.backend == '{backends[0]}')")
        .transform_window(before="lag(bound)", above="lag(rms)", place="row_number()", sort=_BY_BOUND)
        .transform_filter(f"!isValid(datum.before) || datum.bound > {_APART} * datum.before")
        .transform_calculate(level=f"{_CROWDED} ? 1 + datum.place % 2 : 0")
        .mark_text(
            align=alt.expr(f"{_RIGHT} ? 'right' : 'left'"),
            baseline="bottom",
            dx=alt.expr(f"{_RIGHT} ? -8 : 8"),
            dy=alt.expr(f"datum.level ? 6 + {_LEVEL_HEIGHT} * datum.level : -6"),
            fontSize=12,
        )
        .encode(x=x, y=y, text="way:N", opacity=faded())
    )
    chart = alt.layer(levels(), front, *([slack] if certified else []), spread, marks, names)
    return compiled(
        chart.add_params(control("backend", "both"), control("rule", "best"), picked(), narrow()), frame, height=_HEIGHT
    )
