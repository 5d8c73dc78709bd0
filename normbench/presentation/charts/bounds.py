"""Accuracy against the Lipschitz bound, with the front of what nothing beats in both."""

from typing import Any

import altair as alt

from normbench.presentation.charts.base import SHOWN, Frame, colours, compiled, control, faded, narrow, picked, ticks
from normbench.presentation.charts.lines import bars, levels, marks

_BY_BOUND: list[alt.SortField | dict[str, str]] = [alt.SortField("bound"), alt.SortField("rms")]
_APART = "(narrow ? 1.6 : 1.08)"  # names of marks closer than this factor would lie on each other
_CROWDED = (
    "datum.bound < 1.7 * datum.before && datum.rms > 0.95 * datum.above"  # then names go below their marks, in turns
)
_LEVEL_HEIGHT = 14  # pixels
_HEIGHT = 420
_RIGHT = "scale('x', datum.bound) > width / 2"  # there a name would run off the chart


def bound_layers(
    points: alt.Chart,
    *,
    unit: str,
    domain: tuple[float, float],
    certified: bool,
    colours: alt.Scale,
    shapes: alt.Shape,
    gains: Any = alt.Undefined,
) -> list[alt.Chart]:
    """Front, what was measured, spread, and a mark per row, hollow for a default learning rate.

    Parameters
    ----------
    points : Chart
        Rows of :func:`normbench.presentation.page.bounds.bound_points`, and ``front``, true for those on the front.
    unit : str
    domain : tuple of float
        Test RMS at the lower and upper edge.
    certified : bool
        True if any point has a measured ratio to draw.
    colours : alt.Scale
        Of the optimisers.
    shapes : alt.Shape
    gains : list of float
        Ticks of the bound, where the width of the page does not choose them.
    """
    x = alt.X(
        "bound:Q",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(title=f"Lipschitz bound in {unit} per unit-norm input", tickCount=6, format="~g", values=gains),
    )
    y = alt.Y(
        "rms:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(title=f"test RMS in {unit}", format="~g", values=ticks(domain)),
    )
    placed = points.encode(x=x, y=y)
    colour = alt.Color("optimiser:N", scale=colours, legend=None)
    front = (
        placed.transform_filter("datum.front")
        .mark_line(interpolate="step-after", color="var(--muted)", strokeWidth=1.5, clip=True, aria=False)
        .encode(detail="backend:N")
    )
    slack = (
        placed.transform_filter("isValid(datum.measured)")
        .mark_rule(strokeWidth=1.5, clip=True, aria=False)
        .encode(x2="measured:Q", color=colour, opacity=faded(0.45))
    )
    spread = bars(placed.encode(color=colour))
    tooltip = [
        alt.Tooltip("way:N", title="optimiser"),
        alt.Tooltip("backend:N"),
        alt.Tooltip("rms:Q", title=f"test RMS in {unit}", format=".4f"),
        alt.Tooltip("bound:Q", format=".4~g"),
        alt.Tooltip("measured:Q", title="largest measured ratio", format=".4~g"),
        alt.Tooltip("seeds:Q"),
    ]
    drawn = marks(placed, size=90, shape=shapes, tooltip=tooltip).encode(
        stroke=alt.Stroke("optimiser:N", scale=colours, legend=None),
        fill=alt.condition(
            "datum.best", alt.Fill("optimiser:N", scale=colours, legend=None), alt.value("var(--surface)")
        ),
    )
    return [front, *([slack] if certified else []), spread, drawn]


def bound_chart(frame: Frame, *, domain: tuple[float, float], certified: bool) -> dict[str, Any]:
    """Vega specification, see :func:`bound_layers`; the page fills the data "bounds" and "levels"."""
    points = (
        alt.Chart(alt.NamedData("bounds"))
        .transform_filter(SHOWN)
        .transform_window(lowest="min(rms)", groupby=["backend"], sort=_BY_BOUND, frame=[None, 0])
        .transform_calculate(front="datum.rms <= datum.lowest")
    )
    layers = bound_layers(
        points,
        unit=frame.unit,
        domain=domain,
        certified=certified,
        colours=colours(frame.optimisers),
        shapes=frame.shape,
    )
    names = (
        points.transform_filter(
            f"datum.front && (backend != 'both' || datum.backend == '{next(iter(frame.backends))}')"
        )
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
        .encode(x="bound:Q", y="rms:Q", text="way:N", opacity=faded())
    )
    chart = alt.layer(levels(alt.NamedData("levels")), *layers, names)
    return compiled(
        chart.add_params(control("backend", "both"), control("rule", "best"), picked(), narrow()), frame, height=_HEIGHT
    )
