"""Tests of what tables on a terminal have in common."""

from functools import partial

import pytest
from rich.console import Console
from rich.measure import Measurement

from normbench.presentation.tables import Column, fitting
from normbench.presentation.terminal import plain_table

_ROWS = ("a", "Ω ± 東京", "longer than that")
_COLUMNS = [
    Column("kept"),
    Column("first to go", str.upper, leaves=3),
    Column("second", leaves=1, numeric=False),
    Column("also first", lambda row: row[:2], leaves=3),
]


def _width(columns: list[Column]) -> int:
    boundless = Console(width=1000)
    return Measurement.get(boundless, boundless.options, plain_table(columns, _ROWS)).maximum


@pytest.mark.parametrize("width", range(1, 80))
def test_a_table_has_the_most_columns_that_rich_finds_room_for(width):
    table, remarks = fitting(_COLUMNS, partial(plain_table, rows=_ROWS), width)
    choices = [[column for column in _COLUMNS if column.leaves <= most] for most in (3, 1, 0)]
    kept = next((columns for columns in choices if _width(columns) <= width), choices[-1])
    assert [column.header for column in table.columns] == [column.header for column in kept]
    hidden = ", ".join(column.header for column in _COLUMNS if column not in kept)
    assert remarks == ([f"Left out on a terminal of this width: {hidden}."] if hidden else [])


def test_a_table_without_columns_fits():
    table, remarks = fitting([], plain_table, 40)
    assert (table.columns, remarks) == ([], [])
