"""Learning curves: training RMS over what it cost, mean and one standard deviation over seeds."""

from typing import Any

import altair as alt

from normbench.presentation.charts.base import COST_NAMES, SHOWN, Frame, compiled, control, cost_axis, picked, ticks
from normbench.presentation.charts.lines import band, levels, line

_COLUMNS: list[str | alt.FieldName] = [*COST_NAMES, "mean", "low", "high"]


def learning_chart(frame: Frame, *, domain: tuple[float, float]) -> dict[str, Any]:
    """Vega specification between two training RMS; the page fills the data "curves" and "levels"."""
    hover = alt.selection_point(
        name="hover", fields=["way", "backend"], on="pointerover", clear="pointerout", empty=False
    )
    x = alt.X("cost:Q", scale=alt.Scale(type="log", nice=False), axis=cost_axis())
    y = alt.Y(
        "mean:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(title=f"training RMS in {frame.unit}", format="~g", values=ticks(domain)),
    )
    curves = (
        alt.Chart(alt.NamedData("curves"))
        .transform_filter(SHOWN)
        .transform_flatten(_COLUMNS)
        .transform_calculate(cost="datum[cost]")
        .transform_filter("datum.cost > 0")
        .encode(x=x, y=y, color=frame.colour, detail=["way:N", "backend:N"])
    )
    thick = alt.condition(hover, alt.value(4), alt.value(1.8))
    points = (
        curves.mark_circle(clip=True, size=90, opacity=0, aria=False)
        .encode(
            tooltip=[
                alt.Tooltip("way:N", title="optimiser"),
                alt.Tooltip("backend:N"),
                *(alt.Tooltip(f"{name}:Q", title=words, format=",.4~g") for name, words in COST_NAMES.items()),
                alt.Tooltip("mean:Q", title=f"RMS in {frame.unit}", format=".4f"),
            ]
        )
        .add_params(hover)
    )
    drawn = levels(alt.NamedData("levels")), band(curves), line(curves, dash=frame.dash, width=thick), points
    controls = control("backend", "both"), control("rule", "best"), control("cost", "iterations"), picked()
    return compiled(alt.layer(*drawn).add_params(*controls), frame)
