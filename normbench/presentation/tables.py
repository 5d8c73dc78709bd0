"""Tables: columns, how figures are written in them, and what fits into the width of a terminal."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from normbench.analysis.statistics import Spread
from normbench.presentation.terminal import WIDEST
from normbench.records.formats import markdown_cell

_BOUNDLESS = Console(width=WIDEST, markup=False)
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
    """The table that ``build`` makes of the columns that fit into ``width``, and the remark that names the others."""
    kept = list(columns)
    for level in sorted({column.leaves for column in columns} - {0}, reverse=True):
        if Measurement.get(_BOUNDLESS, _BOUNDLESS.options, build(kept)).maximum <= width:
            break
        kept = [column for column in kept if column.leaves < level]
    hidden = ", ".join(column.header for column in columns if column not in kept)
    return build(kept), [f"Left out on a terminal of this width: {hidden}."] if hidden else []


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
