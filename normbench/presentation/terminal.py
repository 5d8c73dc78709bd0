"""What every table on a terminal has in common: the console that it is printed on, and its one style."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from normbench.machine import variable

if TYPE_CHECKING:
    from normbench.presentation.tables import Column

NARROWEST, WIDEST = 40, 10_000  # in fewer columns a table has no text left
BETWEEN = 2  # blanks between two columns of a table: one of the padding, one of the box
_NO_TERMINAL = 120


def console(*, stderr: bool = False) -> Console:
    """A rich console as wide as COLUMNS says, else as the terminal; wide enough for every column where there is none.

    Brackets in a text are brackets, no markup: records and data have texts of their own.

    COLUMNS=0 is what terminals say before they know; that and what is no number count as unset.
    """
    columns = variable("COLUMNS") or ""
    if columns.isdecimal() and int(columns[:9]) > 0:
        return Console(stderr=stderr, markup=False, emoji=False, width=min(max(int(columns[:9]), NARROWEST), WIDEST))
    others = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    found = Console(stderr=stderr, markup=False, emoji=False, _environ=others)
    return found if found.is_terminal else Console(stderr=stderr, markup=False, emoji=False, width=_NO_TERMINAL)


def plain_table(columns: "Sequence[Column]" = (), rows: Iterable[Any] = ()) -> Table:
    """A table in the one style of all commands: a rule under the header, two blanks between columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.header, justify="right" if column.numeric else "left", no_wrap=not column.wraps)
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table
