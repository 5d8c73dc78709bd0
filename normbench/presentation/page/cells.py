"""The leaderboard as cells of an HTML table: a figure, remarks under it, and a value to sort by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from normbench.analysis.rows import KINDS, Row
from normbench.presentation import quantities
from normbench.presentation.labels import backend
from normbench.presentation.page.backends import elsewhere
from normbench.presentation.page.ways import Section, Way
from normbench.presentation.quantities import OPTIMISER, shown
from normbench.presentation.quantity import Merged, Quantity

_LAST = 1e99  # what a column without a figure sorts by; DataTables knows no infinity


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes
    ----------
    text : str
    remarks : tuple of str
        Smaller lines under it.
    order : float or str
        What the column sorts by; missing figures come last.
    """

    text: str
    remarks: tuple[str, ...]
    order: float | str


def columns(sections: Sequence[Section], *, alone: bool) -> list[Quantity]:
    """What has something to say about the boards, that first which the terminal leaves out last.

    The optimiser is no column, as its name heads the row, nor is what stands beside another quantity.

    Parameters
    ----------
    sections : sequence of Section
    alone : bool
        True for boards of one row, on which nothing is set against the others.
    """
    found = shown(row for section in sections for row in section.board.rows)
    kept = [one for one in found if not (one is OPTIMISER or one.beside or (alone and one.against))]
    return sorted(kept, key=lambda quantity: quantity.leaves)


def cell(quantity: Quantity, row: Row, twins: Sequence[Row] = ()) -> Cell:
    """The quantity of a row, with those that stand beside it and what it says of the row on other backends."""
    beside = [one for one in quantities.QUANTITIES if one.beside == quantity.name]
    remarks = [quantity.detail(row), *(f"{one.header} {one.cell(row)}" for one in beside if one.cell(row))]
    texts = [quantity.cell(row)]
    if quantity.merged is Merged.JOINED:
        texts += [quantity.cell(twin) for twin in twins]
    if quantity.merged is Merged.LISTED:
        remarks += [f"{backend(twin)} {quantity.cell(twin)}" for twin in twins if quantity.cell(twin)]
    value = quantity.value(row)
    known = value is not None and not (isinstance(value, float) and not math.isfinite(value))
    return Cell(", ".join(texts), tuple(filter(None, remarks)), value if known else _LAST)


def family(row: Row) -> str:
    """Of the optimiser; "" for rows that none made."""
    return str(row.records[0].spec.family) if row.records else ""


@dataclass(frozen=True)
class Line:
    """One line of a leaderboard: a row and, where it was run here, the way behind it.

    Attributes
    ----------
    row : Row
    way : Way or None
    twins : tuple of Line
        The same on other backends, behind it on the board.
    """

    row: Row
    way: Way | None
    twins: tuple["Line", ...] = ()

    @property
    def group(self) -> int:
        """Place of its kind: optimisers first, then predictors, then published rows, however the rest is sorted."""
        return KINDS.index(self.row.kind)


def lines(section: Section) -> list[Line]:
    """Every row of the board in its order; rows that differ in nothing but their backend are one line."""
    alike: dict[object, list[Line]] = {}
    for way in section.ways:
        alike.setdefault(elsewhere(way.runs[0]), []).append(Line(way.row, way))
    merged = [replace(first, twins=tuple(rest)) for first, *rest in alike.values()]
    return [*merged, *(Line(row, None) for row in (*section.board.predictors, *section.board.published))]
