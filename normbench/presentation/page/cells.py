"""The leaderboard as cells of an HTML table: a figure, remarks under it, and a value to sort by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from normbench.analysis.rows import KINDS, Row
from normbench.presentation import quantities
from normbench.presentation.page.ways import Section, Way
from normbench.presentation.quantities import OPTIMISER, Quantity, shown

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


def cell(quantity: Quantity, row: Row) -> Cell:
    """The quantity of a row, with those that stand beside it."""
    beside = [one for one in quantities.QUANTITIES if one.beside == quantity.name]
    remarks = [quantity.detail(row), *(f"{one.header} {one.cell(row)}" for one in beside if one.cell(row))]
    value = quantity.value(row)
    known = value is not None and not (isinstance(value, float) and not math.isfinite(value))
    return Cell(quantity.cell(row), tuple(filter(None, remarks)), value if known else _LAST)


def family(row: Row) -> str:
    """Of the optimiser; "" for rows that none made."""
    return str(row.records[0].spec.family) if row.records else ""


@dataclass(frozen=True)
class Line:
    """One line of a leaderboard: a row and, where it was run here, the way behind it."""

    row: Row
    way: Way | None

    @property
    def group(self) -> int:
        """Place of its kind: optimisers first, then predictors, then published rows, however the rest is sorted."""
        return KINDS.index(self.row.kind)


def lines(section: Section) -> list[Line]:
    """Every row of the board in its order."""
    others = (*section.board.predictors, *section.board.published)
    return [*(Line(way.row, way) for way in section.ways), *(Line(row, None) for row in others)]
