"""Learning-rate sensitivity over the grids of the searches."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from normbench.presentation.charts.base import Frame, colour, compiled, faded, picked


def rate_chart(frame: Frame, *, unit: str, optimisers: Sequence[str]) -> dict[str, Any]:
    """Vega specification; the page fills the data "rates".

    Parameters
    ----------
    frame : Frame
    unit : str
    optimisers : sequence of str
    """
    points = alt.Chart(alt.NamedData("rates")).encode(
        x=alt.X(
            "rate:Q",
            scale=alt.Scale(type="log", nice=False, padding=16),
            axis=alt.Axis(title="learning rate", tickCount=6, format="~g"),
        ),
        y=alt.Y(
            "ratio:Q",
            scale=alt.Scale(domain=[0, 1.03], nice=False),
            axis=alt.Axis(title="best RMS / RMS at this rate", format=".1f", tickCount=6),
        ),
        color=colour(optimisers),
        opacity=faded(),
    )
    line = points.mark_line(strokeWidth=2, aria=False).encode(
        detail=["optimiser:N", "backend:N", "setting:N", "seed:N"]
    )
    marks = points.mark_point(filled=True, size=70, opacity=1).encode(
        tooltip=[
            alt.Tooltip("optimiser:N"),
            alt.Tooltip("backend:N"),
            alt.Tooltip("setting:N"),
            alt.Tooltip("seed:Q"),
            alt.Tooltip("rate:Q", title="learning rate", format="~g"),
            alt.Tooltip("rms:Q", title=f"training RMS in {unit}", format=".4f"),
            alt.Tooltip("ratio:Q", title="best / this", format=".3f"),
            alt.Tooltip("status:N"),
        ]
    )
    return compiled(alt.layer(line, marks).add_params(picked()), frame)
