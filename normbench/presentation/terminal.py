"""What every table on a terminal has in common: the console that it is printed on, and its one style."""

import os
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column as RichColumn
from rich.table import Table

from normbench.machine import variable

if TYPE_CHECKING:
    from normbench.presentation.tables import Column

NARROWEST, WIDEST = 40, 10_000  # in fewer columns a table has no text left
BETWEEN = 2  # blanks between two columns of a table: one of the padding, one of the box
_NO_TERMINAL = 120
_FOLDED = 12  # letters of a word that stay together where words may be broken


class _Console(Console):
    """A console that cuts off no end of a line: the terminal breaks what is wider than itself."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **{"crop": False, **options})


class _WholeWords(Table):
    """A table that gets narrower by breaking lines between words, and never by cutting one or hiding a column.

    rich would take the width from the columns that may be broken until nothing is left of them. Here the widest of
    those that can give way does so, one by one; where none can, the table is wider than the terminal.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ranges = [_range(column, console, options) for column in self.columns]
        widths = [each.maximum for each in ranges]
        gaps = BETWEEN * (len(widths) - 1)
        while sum(widths) + gaps > options.max_width:
            can = [k for k, each in enumerate(ranges) if widths[k] > each.minimum]
            if not can:
                break
            widths[max(can, key=widths.__getitem__)] -= 1
        shown = copy(self)
        shown.columns = [
            replace(column, width=width, no_wrap=False) for column, width in zip(self.columns, widths, strict=True)
        ]
        shown.width = sum(widths) + gaps
        yield from super(_WholeWords, shown).__rich_console__(console, options)


def _range(column: RichColumn, console: Console, options: ConsoleOptions) -> Measurement:
    """How narrow and how wide it may be: headers break between words, cells where they may."""
    boundless = options.update_width(WIDEST)
    header = Measurement.get(console, boundless, column.header)
    cells = [Measurement.get(console, boundless, cell) for cell in column.cells]
    widest = max((cell.maximum for cell in cells), default=0)
    least = widest if column.no_wrap else max((cell.minimum for cell in cells), default=0)
    if column.overflow == "fold":  # within long words, too, such as paths
        least = min(least, _FOLDED)
    return Measurement(max(header.minimum, least), max(header.maximum, widest))


def console(*, stderr: bool = False) -> Console:
    """A rich console as wide as COLUMNS says, else as the terminal; wide enough for every column where there is none.

    Brackets in a text are brackets, no markup: records and data have texts of their own.

    COLUMNS=0 is what terminals say before they know; that and what is no number count as unset.
    """
    columns = variable("COLUMNS") or ""
    if columns.isdecimal() and int(columns[:9]) > 0:
        return _Console(stderr=stderr, markup=False, emoji=False, width=min(max(int(columns[:9]), NARROWEST), WIDEST))
    others = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    found = _Console(stderr=stderr, markup=False, emoji=False, _environ=others)
    return found if found.is_terminal else _Console(stderr=stderr, markup=False, emoji=False, width=_NO_TERMINAL)


def plain_table(columns: "Sequence[Column]" = (), rows: Iterable[Any] = ()) -> Table:
    """A table in the one style of all commands: a rule under the header, two blanks between columns."""
    table = _WholeWords(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.header, justify="right" if column.numeric else "left", no_wrap=not column.wraps)
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table
