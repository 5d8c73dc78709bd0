"""Tables: columns, how figures are written in them, and what fits into the width of a terminal."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from normbench.analysis.statistics import Spread
from normbench.presentation.terminal import BETWEEN
from normbench.records.formats import markdown_cell

_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    header : str
    words : callable
        Row, or whatever a line of the table stands for, -> text.
    numeric : bool
        Aligned to the right.
    leaves : int
        Where the terminal is too narrow, the column of the highest number is left out first; 0 always stays.
    wraps : bool
        Its text may be broken into lines.
    """

    header: str
    words: Callable[[Any], str] = str
    numeric: bool = True
    leaves: int = 0
    wraps: bool = False

    def cell(self, line: Any) -> str:
        """What stands in the column on a line."""
        return self.words(line)

    def says(self, lines: Iterable[Any]) -> bool:
        """True if something stands in it on one of the lines."""
        return any(self.cell(line) for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals, or as an integer or power of ten where that says more; "" for NaN."""
    if value is None or not math.isfinite(value):
        return ""
    if abs(value) >= 1e5:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}f}"


def mean_sd(figure: Spread) -> str:
    """``mean ± sd``, without the sd where there is none, "–" where there is no mean."""
    if not math.isfinite(figure.mean):
        return "–"
    return f"{number(figure.mean)} ± {number(figure.sd)}" if math.isfinite(figure.sd) else number(figure.mean)


def stars(p_value: float) -> str:
    """``*`` below 0.05, ``**`` below 0.01, ``***`` below 0.001, else ""."""
    return next((mark for level, mark in _STARS if p_value < level), "")


def percent(value: float) -> str:
    """``+1.2 %``, or "" for NaN."""
    return f"{100 * value:+.1f} %" if math.isfinite(value) else ""


def fitting(
    columns: Sequence[Column], build: Callable[[Sequence[Column]], Table], width: int
) -> tuple[Table, list[str]]:
    """The table that ``build`` makes of the columns that fit into ``width``, and the remark that names the others.

    ``build`` makes each of the columns that it is given into one of the table's.
    """
    whole = build(columns)
    widths = [max(cell_len(str(text)) for text in (column.header, *column.cells)) for column in whole.columns]
    most = max((column.leaves for column in columns), default=0)
    while most and _together(widths, columns, most) > width:
        most -= 1
    kept = [column for column in columns if column.leaves <= most]
    hidden = ", ".join(column.header for column in columns if column.leaves > most)
    if not hidden:
        return whole, []
    return build(kept), [f"Left out on a terminal of this width: {hidden}."]


def _together(widths: Sequence[int], columns: Sequence[Column], most: int) -> int:
    """Width of a table of those columns that are left out at ``most`` or later."""
    kept = [width for width, column in zip(widths, columns, strict=True) if column.leaves <= most]
    return sum(kept) + BETWEEN * (len(kept) - 1)


def titled(title: str, table: Table) -> RenderableType:
    """A table under its title."""
    return Group(Text(title, style="bold"), Text(), table, Text())


def markdown_table(columns: Sequence[Column], rows: Iterable[Any]) -> list[str]:
    """The lines of a Markdown table: header, alignment, one a row."""
    return [
        _line(markdown_cell(column.header) for column in columns),
        _line("---:" if column.numeric else "---" for column in columns),
        *(_line(markdown_cell(column.cell(row)) for column in columns) for row in rows),
    ]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
