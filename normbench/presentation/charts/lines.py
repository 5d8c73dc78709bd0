"""The layers that pictures are made of: a line with its band, marks on it, bars, and levels to hold it against."""

from typing import Any, Literal

import altair as alt

from normbench.presentation.charts.base import faded

_BAND = 0.14  # opacity
_THIN = alt.value(1.8)


def band(rows: alt.Chart) -> alt.Chart:
    """From ``low`` to ``high`` around a line; missing where either is."""
    return rows.mark_area(clip=True, aria=False).encode(y="low:Q", y2="high:Q", opacity=faded(_BAND))


def line(rows: alt.Chart, *, dash: Any = alt.Undefined, width: Any = _THIN) -> alt.Chart:
    """One line per colour and detail of the rows."""
    return rows.mark_line(clip=True, aria=False).encode(strokeDash=dash, opacity=faded(), strokeWidth=width)


def marks(rows: alt.Chart, *, size: float = 70, shape: Any = alt.Undefined, tooltip: Any = alt.Undefined) -> alt.Chart:
    """A filled mark per row."""
    drawn = rows.mark_point(filled=True, size=size, stroke="var(--surface)", strokeWidth=1, clip=True)
    return drawn.encode(opacity=faded(), shape=shape, tooltip=tooltip)


def bars(rows: alt.Chart) -> alt.Chart:
    """An upright bar per row, from ``low`` to ``high``."""
    return rows.mark_rule(strokeWidth=1.5, clip=True, aria=False).encode(y="low:Q", y2="high:Q", opacity=faded(0.8))


def levels(data: Any, *, align: Literal["left", "right"] = "right") -> alt.LayerChart:
    """A dotted line across the chart for each row ``predictor, rms``, with its name at the right end.

    The name stands on the line, aligned "right" with its end, or beside it, aligned "left", at the height that a column
    ``baseline`` says, if there is one.
    """
    beside = align == "left"
    base = alt.Chart(data).encode(y="rms:Q")
    rule = base.mark_rule(strokeDash=[1, 3], strokeWidth=1.2, clip=True, aria=False)
    text = base.mark_text(
        align=align,
        baseline=alt.expr("datum.baseline || 'middle'") if beside else "bottom",
        dx=4 if beside else 0,
        dy=0 if beside else -2,
        fontStyle="italic",
        color="var(--muted)",
    ).encode(x=alt.value("width"), text="predictor:N")
    return rule + text
