"""One heat map of experiment 2: a quantity over width and depth, the number in every cell."""

from typing import Any

import altair as alt

from normbench.papers.asgd.tables import DEPTHS, WIDTHS
from normbench.presentation.charts.base import Frame, Layers, compiled

_HEIGHT = 230


def heat_chart(frame: Frame, *, quantity: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Vega specification, see :func:`heat_map`; the page fills the data "cells"."""
    return compiled(heat_map(alt.NamedData("cells"), quantity=quantity, domain=domain), frame, height=_HEIGHT)


def heat_map(cells: Any, *, quantity: str, domain: tuple[float, float]) -> Layers:
    """A coloured cell per network with its number in it.

    Parameters
    ----------
    cells : data of Altair
        ``depth, width, mean, sd, seeds``
    quantity : str
        "train RMS", "test RMS" or "seconds".
    domain : tuple of float
        Ends of the colour scale, shared by the charts that stand side by side.
    """
    seconds = quantity == "seconds"
    scale = alt.Scale(type="log" if seconds else "linear", scheme="viridis", domain=list(domain), reverse=True)
    middle = (domain[0] * domain[1]) ** 0.5 if seconds else sum(domain) / 2
    base = alt.Chart(cells).encode(
        x=alt.X(
            "width:O",
            scale=alt.Scale(domain=list(WIDTHS)),
            axis=alt.Axis(title="width", labelAngle=0, orient="bottom", ticks=False, domain=False),
        ),
        y=alt.Y(
            "depth:O",
            scale=alt.Scale(domain=list(DEPTHS)),
            axis=alt.Axis(title="depth (weight matrices)", ticks=False, domain=False),
        ),
    )
    rectangles = base.mark_rect(aria=False).encode(
        color=alt.Color("mean:Q", scale=scale, legend=None),
        tooltip=[
            alt.Tooltip("depth:O"),
            alt.Tooltip("width:O"),
            alt.Tooltip("mean:Q", title=quantity, format=".4~g"),
            alt.Tooltip("sd:Q", title="standard deviation", format=".3~g"),
            alt.Tooltip("seeds:Q"),
        ],
    )
    text = base.mark_text(fontSize=12).encode(
        text=alt.Text("mean:Q", format=".3~g" if seconds else ".3f"),
        color=alt.condition(f"datum.mean < {middle}", alt.value("#111111"), alt.value("#ffffff")),
    )
    return alt.layer(rectangles, text)
