"""Cost to reach a target, run by run, and performance profiles over all problems; both follow the slider."""

from typing import TYPE_CHECKING, Any

import altair as alt

from normbench.presentation.charts.base import SHOWN, Frame, compiled, control, cost_axis, faded, narrow, picked

if TYPE_CHECKING:
    from normbench.presentation.page.reaching import Grid

_COUNTS_WIDTH = 52
_ROW, _TALL_ROW = 20, 36  # pixels; the taller where the name stands above its row
_NEVER = 1e300  # in place of infinity, which a median over two middle values would turn into NaN
_NAME = "datum.way + (backend == 'both' ? ' · ' + datum.backend : '')"
_PRICE = "(charge == 'yes' ? 1 + datum.tuning : 1)"
_KNOWN = "isValid(datum['spent_' + cost])"  # early records did not keep every cost
_VALUE = f"position >= datum.reached ? datum[cost][position - datum.reached] * {_PRICE} : null"


def _controls(grid: "Grid") -> list[alt.Parameter]:
    position = f"round((toNumber(target) - {grid.low}) / {grid.step})"
    return [
        control("backend", "both"),
        control("rule", "best"),
        control("cost", "iterations"),
        control("charge", "no"),
        control("target", str(grid.start)),
        alt.param(name="position", expr=position),
        picked(),
    ]


def reaching_chart(frame: Frame, *, board: str, grid: "Grid") -> tuple[dict[str, Any], str]:
    """Vega specification of one board, and the name of its data set with one summary per way.

    The page fills the data "runs". Small marks are runs that reached the target, the large one is their median where
    more than half did, triangles are runs that stopped short of it, at what they had spent; to the right, how many of
    the runs arrived.
    """
    runs = (
        alt.Chart(alt.NamedData("runs"))
        .transform_filter(f"datum.board == '{board}' && ({SHOWN}) && {_KNOWN}")
        .transform_calculate(name=_NAME, value=_VALUE, spent=f"datum['spent_' + cost] * {_PRICE}")
        .transform_calculate(order=f"isValid(datum.value) ? datum.value : {_NEVER}")
        .transform_joinaggregate(place="median(order)", groupby=["way", "backend"])
    )
    span = alt.Scale(type="log", nice=False, rangeMin=8, rangeMax=alt.expr(f"width - {_COUNTS_WIDTH}"))
    x = alt.X("value:Q", scale=span, axis=cost_axis())
    y = alt.Y(
        "name:N",
        sort=alt.EncodingSortField("place", op="min"),
        axis=alt.Axis(
            title=None,
            ticks=False,
            domain=False,
            grid=True,
            labelAlign=alt.expr("narrow ? 'left' : 'right'"),
            labelPadding=alt.expr("narrow ? 0 : 6"),
            labelOffset=alt.expr("narrow ? -12 : 0"),
        ),
    )
    reached = (
        runs.transform_filter("datum.value > 0")
        .mark_point(size=28, filled=True, aria=False)
        .encode(x=x, y=y, color=frame.colour, opacity=faded(0.6), shape=frame.shape, tooltip=_tooltip("value"))
    )
    censored = (
        runs.transform_filter("!isValid(datum.value) && datum.spent > 0")
        .mark_point(size=34, shape="triangle-right", filled=False, aria=False)
        .encode(x="spent:Q", y=y, color=frame.colour, opacity=faded(0.7), tooltip=_tooltip("spent"))
    )
    summary = runs.transform_aggregate(
        median="median(order)",
        spent="median(spent)",
        runs="count()",
        reached_runs="valid(value)",
        lowest="min(value)",
        highest="max(value)",
        place="min(place)",
        groupby=["name", "way", "optimiser", "backend"],
    )
    middle = (
        summary.transform_filter(f"datum.median < {_NEVER / 4}")
        .mark_point(size=130, filled=True, stroke="var(--surface)", strokeWidth=1.5)
        .encode(x="median:Q", y=y, color=frame.colour, opacity=faded(), shape=frame.shape)
    )
    counts = (
        summary.transform_calculate(words="datum.reached_runs + ' of ' + datum.runs")
        .mark_text(align="right", color="var(--muted)", aria=False)
        .encode(x=alt.value("width"), y=y, text="words:N")
    )
    chart = alt.layer(censored, reached, middle, counts).add_params(*_controls(grid), narrow())
    specification = _with_row_height(compiled(chart, frame, height=alt.Step(_ROW)))
    return specification, _summary_data(specification)


def _with_row_height(specification: dict[str, Any]) -> dict[str, Any]:
    """The specification with rows that follow the width: Vega-Lite takes a number only."""
    follows = {"name": "y_step", "update": f"narrow ? {_TALL_ROW} : {_ROW}"}
    signals = [follows if signal["name"] == "y_step" else signal for signal in specification["signals"]]
    return specification | {"signals": sorted(signals, key=lambda signal: signal["name"] != "narrow")}


def _tooltip(amount: str) -> list[alt.Tooltip]:
    title = {"value": "cost to target", "spent": "not reached; spent"}[amount]
    return [
        alt.Tooltip("name:N", title="optimiser"),
        alt.Tooltip("seed:Q"),
        alt.Tooltip(f"{amount}:Q", title=title, format=",.4~g"),
    ]


def _summary_data(specification: dict[str, Any]) -> str:
    """Name that the compiler gave to the data behind the medians."""
    return next(
        data["name"]
        for data in specification["data"]
        for step in data.get("transform", [])
        if step["type"] == "aggregate" and "reached_runs" in step.get("as", [])
    )


def profile_chart(frame: Frame, *, grid: "Grid") -> dict[str, Any]:
    """Vega specification of the performance profiles (Dolan and More 2002); the page fills the data "problems".

    rho(tau) = share of the problems that a solver solves at no more than tau times the cost of the cheapest. The data
    hold two entries of weight 0 per solver, at which its line begins and ends.
    """
    lines = (
        alt.Chart(alt.NamedData("problems"))
        .transform_filter(f"(datum.common || datum.anchor) && ({SHOWN}) && (datum.anchor || {_KNOWN})")
        .transform_calculate(value=f"datum.anchor ? null : ({_VALUE})", weight="datum.anchor ? 0 : 1")
        .transform_joinaggregate(cheapest="min(value)", groupby=["problem"])
        .transform_calculate(
            factor="datum.anchor == 'left' ? 1 : isValid(datum.value) ? datum.value / datum.cheapest : null"
        )
        .transform_joinaggregate(edge="max(factor)")
        .transform_calculate(factor="datum.anchor == 'right' ? max(1.2 * datum.edge, 2) : datum.factor")
        .transform_joinaggregate(problems="sum(weight)", groupby=["way", "backend"])
        .transform_filter("isValid(datum.factor)")
        .transform_window(
            solved="sum(weight)",
            groupby=["way", "backend"],
            sort=[alt.SortField("factor")],
            frame=[None, 0],
            ignorePeers=False,
        )
        .transform_calculate(share="datum.solved / datum.problems", name=_NAME)
        .mark_line(interpolate="step-after", strokeWidth=2.2, aria=False)
        .encode(
            x=alt.X(
                "factor:Q",
                scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(title="times the cost of the cheapest", tickCount=6),
            ),
            y=alt.Y(
                "share:Q",
                scale=alt.Scale(domain=[-0.02, 1.03], nice=False),
                axis=alt.Axis(title="share of problems solved", format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            color=frame.colour,
            strokeDash=frame.dash,
            detail=["way:N", "backend:N"],
            opacity=faded(),
            tooltip=[alt.Tooltip("name:N", title="optimiser")],
        )
    )
    return compiled(lines.add_params(*_controls(grid)), frame)
