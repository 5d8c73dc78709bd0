"""Leaderboards on the terminal."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from normbench.analysis.leaderboard import Board
from normbench.presentation.captions import captions
from normbench.presentation.labels import board_title
from normbench.presentation.quantities import ITERATIONS, LEGEND, OPTIMISER, TUNING, WHERE, legend, shown
from normbench.presentation.tables import Column, fitting, titled
from normbench.presentation.terminal import plain_table


def terminal(boards: Sequence[Board], *, width: int) -> RenderableType:
    """Every board with its title and captions; what does not fit into ``width`` is left out and named."""
    lines = [Text(line, style="dim") for line in legend(row for board in boards for row in board.rows)]
    head = [Text(LEGEND, style="bold")] if lines else []
    return Group(*(part for board in boards for part in _board(board, width)), *head, *lines)


def _board(board: Board, width: int) -> list[RenderableType]:
    table, left_out = fitting(_columns(board), partial(_table, board), width)
    notes = (Text(note, style="dim") for note in (*captions(board), *left_out))
    return [titled(board_title(board), table), *notes, Text()]


def _columns(board: Board) -> list[Column]:
    """Those that say something. The iterations stay where nothing else tells two rows of a board apart."""
    names = [tuple(column.cell(row) for column in (OPTIMISER, WHERE, TUNING)) for row in board.optimisers]
    alike = len(set(names)) < len(names)
    return [replace(each, leaves=0) if each is ITERATIONS and alike else each for each in shown(board.rows)]


def _table(board: Board, columns: Sequence[Column]) -> Table:
    table = plain_table(columns)
    for rows in (board.optimisers, board.predictors, board.published):
        for row in rows:
            table.add_row(*(column.cell(row) for column in columns), style="" if row.records else "dim")
        table.add_section()
    return table
