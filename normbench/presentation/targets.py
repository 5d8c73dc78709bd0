"""What a target costs, as tables and as columns beside those of the board."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.targets import Attainment, Median, attain
from normbench.presentation.labels import board_title
from normbench.presentation.quantities import EVALUATIONS, ITERATIONS, OPTIMISER, SECONDS, TUNING, WHERE
from normbench.presentation.quantity import Quantity
from normbench.presentation.tables import markdown_table, number, titled
from normbench.presentation.terminal import plain_table
from normbench.records.formats import markdown_text


class Line(NamedTuple):
    """A row, and how its runs reach the target; None for a row that was not run here."""

    row: Row
    attained: Attainment | None


def fields(row: Row, target_rms: float | None) -> dict[str, Any]:
    """An attainment as columns beside those of the board, without a target none; empty for rows not run here."""
    if target_rms is None:
        return {}
    line = Line(row, attain(row.records, target_rms) if row.records else None)
    stored = (quantity.stored(line) for quantity in (REACHED, *COSTS))
    return {"target_rms": target_rms} | {name: value for found in stored for name, value in found.items()}


def _of_the_row(quantity: Quantity) -> Quantity:
    """What a line says of its row, as on the board."""
    return replace(quantity, words=lambda line: quantity.cell(line.row), value=lambda line: quantity.value(line.row))


def _cost(cost: str, header: str, of: Quantity) -> Quantity:
    """What a line spends of a quantity of the board until the target; unit and direction are the quantity's."""

    def median(line: Line) -> Median | None:
        return getattr(line.attained, cost, None)

    return replace(
        of,
        name=f"{cost}_to_target",
        header=header,
        meaning=f"{of.meaning}, until the target is reached",
        value=lambda line: (found := median(line)) and found.value,
        words=lambda line: _words(median(line), of.digits or 2),
        digits=None,
        fields=lambda line: {
            f"{cost}_to_target": (found := median(line)) and found.value,
            f"{cost}_censored": found and found.censored,
        },
    )


def _words(found: Median | None, digits: int) -> str:
    """``412``, or ``> 412`` where half of the runs or more took longer."""
    return ("> " if found.censored else "") + number(found.value, digits) if found else ""


REACHED = Quantity(
    name="reached",
    header="reached",
    meaning="runs that reach the target, of all",
    value=lambda line: line.attained and line.attained.reached,
    words=lambda line: f"{line.attained.reached}/{line.attained.runs}",
)
COSTS = (
    _cost("iterations", "iterations", ITERATIONS),
    _cost("loss_evaluations", "losses", EVALUATIONS),
    _cost("gradient_evaluations", "gradients", EVALUATIONS),
    _cost("seconds", "seconds", SECONDS),
)
_COLUMNS = (*map(_of_the_row, (OPTIMISER, WHERE, TUNING)), REACHED, *COSTS)
NOTE = (
    "Medians over all runs, interpolated between iterations; a run that does not reach the target counts as one of "
    "infinite cost. '>': half of the runs or more did not reach it, so it takes more than this. losses and gradients: "
    "passes over the training set. What tuning cost is not added."
)


def _lines(board: Board, target_rms: float) -> list[Line]:
    """Rows that were run here: those that reach the target more often first, then those that need fewer iterations."""
    reached = [(row, attain(row.records, target_rms)) for row in board.optimisers]
    lines = sorted(reached, key=lambda pair: (-pair[1].reached / pair[1].runs, pair[1].iterations.value))
    return [Line(*pair) for pair in lines]


def _title(board: Board, target_rms: float) -> str:
    return f"{board_title(board)}: to a training RMS of {target_rms:g} {board.unit}"


def targets_table(found: Sequence[Board], target_rms: float) -> RenderableType:
    """For every board, what each row needs to reach a training RMS.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    tables = [titled(_title(board, target_rms), plain_table(_COLUMNS, _lines(board, target_rms))) for board in found]
    return Group(*tables, Text(NOTE, style="dim"))


def targets_markdown(found: Sequence[Board], target_rms: float) -> str:
    """The same as Markdown: a heading, a table and a note for every board; errors as :func:`targets_table`."""
    parts = []
    for board in found:
        table = markdown_table(_COLUMNS, _lines(board, target_rms))
        parts += [f"## {markdown_text(_title(board, target_rms))}", "", *table, "", f"- {markdown_text(NOTE)}", ""]
    return "\n".join(parts)
