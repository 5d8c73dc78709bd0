"""Colour, shape and dash pattern of what a picture tells apart: any one of them that survives is enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from normbench.presentation.charts import base
from normbench.presentation.palette import series
from normbench.specs import SPECS

_SHAPES = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "cross",
    "M-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0L-1,-.7Z",  # the letter x
    "triangle-left",
    "triangle-right",
    "M0,-1L.27,-.31L1,-.31L.41,.12L.63,.87L0,.41L-.63,.87L-.41,.12L-1,-.31L-.27,-.31Z",  # a star
    "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",  # a pentagon
    "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",  # a hexagon
    "M0,-1L.5,0L0,1L-.5,0Z",  # a narrow diamond
)
_DASHES: tuple[tuple[float, ...], ...] = (
    (1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (4, 2), (10, 3, 4, 3), (2, 4),
)  # fmt: skip
_RAMP: list[float] = [0.8, 0.05]  # part of the colour scale that stands out from white, light to dark


@dataclass(frozen=True)
class Looks:
    """What values of one field look like.

    Attributes
    ----------
    names : tuple
        The values, in the order of a key.
    colours, shapes, dashes : alt.Scale
    """

    names: tuple[Any, ...]
    colours: alt.Scale
    shapes: alt.Scale
    dashes: alt.Scale

    def colour(self, field: str) -> alt.Color:
        """Colour by a field."""
        return alt.Color(f"{field}:N", scale=self.colours, legend=None)

    def shape(self, field: str) -> alt.Shape:
        """Shape by a field."""
        return alt.Shape(f"{field}:N", scale=self.shapes, legend=None)

    def dash(self, field: str) -> alt.StrokeDash:
        """Dash pattern by a field."""
        return alt.StrokeDash(f"{field}:N", scale=self.dashes, legend=None)


def optimiser_looks(keys: Iterable[str]) -> Looks:
    """Looks of optimisers, the same in every picture; no two share colour, shape and dashes."""
    names = tuple(series(keys))
    order = [*SPECS, *(name for name in names if name not in SPECS)]
    places = [order.index(name) for name in names]
    return _looks(names, base.colours(names), places)


def ordered_looks(values: Sequence[Any]) -> Looks:
    """Looks of a few values that have an order: light to dark, which greyscale keeps, each with shape and dashes."""
    scheme = alt.SchemeParams(name="viridis", extent=_RAMP)
    return _looks(tuple(values), alt.Scale(domain=list(values), scheme=scheme), range(len(values)))


def chosen_looks(looks: Sequence[tuple[Any, str, int]]) -> Looks:
    """Looks put together by hand: name, colour and place in the lists of shapes and dashes of each."""
    names = tuple(name for name, _, _ in looks)
    colours = alt.Scale(domain=list(names), range=[colour for _, colour, _ in looks])
    return _looks(names, colours, [place for _, _, place in looks])


def _looks(names: tuple[Any, ...], colours: alt.Scale, places: Iterable[int]) -> Looks:
    chosen = list(places)
    return Looks(
        names,
        colours,
        alt.Scale(domain=list(names), range=[_SHAPES[k % len(_SHAPES)] for k in chosen]),
        alt.Scale(domain=list(names), range=[list(_DASHES[k % len(_DASHES)]) for k in chosen]),
    )
