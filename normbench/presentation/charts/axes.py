"""Positions of a picture for print: linear and logarithmic axes, and where their ticks stand."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt


def axis(
    channel: type[alt.X] | type[alt.Y],
    field: str,
    title: str,
    *,
    domain: tuple[float, float] | None = None,
    values: Sequence[float] | None = None,
) -> Any:
    """A linear position; what lies outside of a given ``domain`` is cut off."""
    span = (
        alt.Scale(zero=False, nice=True) if domain is None else alt.Scale(domain=list(domain), nice=False, zero=False)
    )
    ticks = alt.Undefined if values is None else list(values)
    return channel(f"{field}:Q", scale=span, axis=alt.Axis(title=title, format="~f", tickCount=5, values=ticks))


def log_axis(
    channel: type[alt.X] | type[alt.Y],
    field: str,
    title: str,
    *,
    values: Sequence[float],
    domain: tuple[float, float] | None = None,
    form: str = "~g",
    base: int = 10,
) -> Any:
    """A logarithmic position with ticks at ``values``; what lies outside of a given ``domain`` is cut off."""
    room: dict[str, Any] = {"padding": 8} if domain is None else {"domain": list(domain)}
    scale = alt.Scale(type="log", base=base, nice=False, **room)
    return channel(f"{field}:Q", scale=scale, axis=alt.Axis(title=title, format=form, values=list(values)))


def decades(values: Iterable[float]) -> list[float]:
    """At most four powers of ten from the least of the values to the greatest, for a logarithmic axis."""
    known = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = math.ceil(math.log10(min(known)) - 1e-9), math.floor(math.log10(max(known)) + 1e-9)
    stride = max(1, math.ceil((high - low) / 3))
    return [10.0**k for k in range(low, high + 1, stride)]
