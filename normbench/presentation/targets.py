"""What a target costs, as tables and as columns beside those of the board."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.runs import COSTS
from normbench.analysis.targets import Attainment, Median, attain
from normbench.presentation.labels import backend, board_title, tuning_label
from normbench.presentation.tables import Column, markdown_table, number, titled
from normbench.presentation.terminal import plain_table
from normbench.records.formats import markdown_text


def fields(row: Row, target_rms: float) -> dict[str, Any]:
    """An attainment as columns beside those of the board; empty cells for rows that were not run here."""
    found = attain(row.records, target_rms) if row.records else None
    columns: dict[str, Any] = {"target_rms": target_rms, "reached": found and found.reached}
    for cost in COSTS:
        median = found and getattr(found, cost)
        columns |= {f"{cost}_to_target": median and median.value, f"{cost}_censored": median and median.censored}
    return columns


Line = tuple[Row, Attainment]


def _median(found: Median) -> str:
    """``412``, or ``> 412`` where half of the runs or more took longer."""
    return f"> {number(found.value, 2)}" if found.censored else number(found.value, 2)


_COLUMNS = (
    Column("optimiser", lambda line: line[0].optimiser, numeric=False),
    Column("backend", lambda line: backend(line[0]), numeric=False),
    Column("tuning needed", lambda line: tuning_label(line[0]), numeric=False, wraps=True),
    Column("reached", lambda line: f"{line[1].reached}/{line[1].runs}"),
    Column("iterations", lambda line: _median(line[1].iterations)),
    Column("losses", lambda line: _median(line[1].loss_evaluations)),
    Column("gradients", lambda line: _median(line[1].gradient_evaluations)),
    Column("seconds", lambda line: _median(line[1].seconds)),
)
NOTE = (
    "Medians over all runs, interpolated between iterations; a run that does not reach the target counts as infinitely "
    "dear. '>': half of the runs or more did not reach it, so it takes more than this. losses and gradients: passes "
    "over the training set. What tuning cost is not added."
)


def _lines(board: Board, target_rms: float) -> list[Line]:
    """Rows that were run here: those that reach the target more often first, then those that need fewer iterations."""
    lines = [(row, attain(row.records, target_rms)) for row in board.optimisers]
    return sorted(lines, key=lambda line: (-line[1].reached / line[1].runs, line[1].iterations.value))


def _title(board: Board, target_rms: float) -> str:
    return f"{board_title(board)}: to a training RMS of {target_rms:g} {board.unit}"


def targets_table(found: Sequence[Board], target_rms: float) -> RenderableType:
    """For every board, what each row needs to reach a training RMS.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    tables = [_table(board, _lines(board, target_rms), target_rms) for board in found]
    return Group(*tables, Text(NOTE, style="dim"))


def _table(board: Board, lines: Sequence[Line], target_rms: float) -> RenderableType:
    table = plain_table(_COLUMNS)
    for line in lines:
        table.add_row(*(column.cell(line) for column in _COLUMNS))
    return titled(_title(board, target_rms), table)


def targets_markdown(found: Sequence[Board], target_rms: float) -> str:
    """The same as Markdown: a heading, a table and a note for every board; errors as :func:`targets_table`."""
    parts = []
    for board in found:
        lines = _lines(board, target_rms)
        parts += [f"## {markdown_text(_title(board, target_rms))}", "", *markdown_table(_COLUMNS, lines), ""]
        parts += [f"- {markdown_text(NOTE)}", ""]
    return "\n".join(parts)
