"""Learning-rate sensitivity over the grids of the searches."""

from typing import Any

import altair as alt

from normbench.presentation.charts.base import Frame, compiled, picked
from normbench.presentation.charts.lines import line, marks


def rate_layers(
    points: alt.Chart,
    *,
    dash: Any = alt.Undefined,
    shape: Any = alt.Undefined,
    tooltip: Any = alt.Undefined,
    values: Any = alt.Undefined,
) -> list[alt.Chart]:
    """A line per search and a mark per learning rate.

    Parameters
    ----------
    points : Chart
        Rows with ``value`` and ``ratio``; colour and detail tell the lines apart.
    dash, shape, tooltip : encodings of the lines, of the marks, and of the marks
    values : list of float
        Ticks of the learning rate, where the width of the page does not choose them.
    """
    placed = points.encode(
        x=alt.X(
            "value:Q",
            scale=alt.Scale(type="log", nice=False, padding=16),
            axis=alt.Axis(title="learning rate", tickCount=6, format="~g", values=values),
        ),
        y=alt.Y(
            "ratio:Q",
            scale=alt.Scale(domain=[0, 1.06], nice=False),
            axis=alt.Axis(title="best RMS / RMS at this rate", format=".1f", tickCount=6),
        ),
    )
    return [line(placed, dash=dash), marks(placed, shape=shape, tooltip=tooltip)]


def rate_chart(frame: Frame) -> dict[str, Any]:
    """Vega specification; the page fills the data "rates"."""
    points = alt.Chart(alt.NamedData("rates")).encode(
        color=frame.colour, detail=["optimiser:N", "backend:N", "setting:N", "seed:N"]
    )
    tooltip = [
        alt.Tooltip("optimiser:N"),
        alt.Tooltip("backend:N"),
        alt.Tooltip("setting:N"),
        alt.Tooltip("seed:Q"),
        alt.Tooltip("value:Q", title="learning rate", format="~g"),
        alt.Tooltip("rms:Q", title=f"training RMS in {frame.unit}", format=".4f"),
        alt.Tooltip("ratio:Q", title="best / this", format=".3f"),
        alt.Tooltip("status:N"),
    ]
    return compiled(alt.layer(*rate_layers(points, tooltip=tooltip)).add_params(picked()), frame)
