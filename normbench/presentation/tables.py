"""A leaderboard on the terminal: its columns, how their cells are written, and what fits into the width."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from normbench.analysis.leaderboard import Board, Row
from normbench.analysis.statistics import Spread
from normbench.presentation.captions import captions
from normbench.presentation.labels import backend, board_title, tuning_label
from normbench.presentation.terminal import WIDEST, plain_table
from normbench.records.formats import markdown_cell

_BOUNDLESS = Console(width=WIDEST, markup=False)
_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


@dataclass(frozen=True)
class Column:
    """A column of the board.

    Attributes
    ----------
    header : str
    cell : callable
        Row, or whatever a line of the table stands for, -> text.
    numeric : bool
        Aligned to the right.
    leaves : int
        Where the terminal is too narrow, the column of the highest number is left out first; 0 always stays.
    wraps : bool
        Its text may be broken into lines.
    """

    header: str
    cell: Callable[[Any], str]
    numeric: bool = True
    leaves: int = 0
    wraps: bool = False


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


def failures(row: Row) -> str:
    """``1 stalled, 2 diverged``, "none", or "" for rows that were not run here."""
    if not row.records:
        return ""
    return ", ".join(f"{count} {status}" for status, count in row.failures.items() if count) or "none"


def tuning(row: Row) -> str:
    """:func:`tuning_label`, with † where the best value ends its grid."""
    return tuning_label(row) + (" †" if row.tuning and row.tuning.on_edge else "")


def versus_best(row: Row) -> str:
    """``+1.2 % **``, "one seed" where nothing can be tested, or ""."""
    if row.difference is None:
        return ""
    shown = percent(row.difference.mean)
    if row.difference.pairs < 2:
        return f"{shown} (1 seed)"
    return f"{shown} {stars(row.difference.p_value)}".rstrip()


def stars(p_value: float) -> str:
    """``*`` below 0.05, ``**`` below 0.01, ``***`` below 0.001, else ""."""
    return next((mark for level, mark in _STARS if p_value < level), "")


def percent(value: float) -> str:
    """``+1.2 %``, or "" for NaN."""
    return f"{100 * value:+.1f} %" if math.isfinite(value) else ""


def rank(row: Row) -> str:
    """``2 (1-4)``, the rank alone where nothing could be resampled, "–" where a run gave no result."""
    if row.rank is None:
        return "–" if row.records else ""
    if not math.isfinite(row.rank.best_share):
        return str(row.rank.rank)
    return f"{row.rank.rank} ({row.rank.low}-{row.rank.high})"


def accuracy(row: Row) -> str:
    """``97.2 ± 0.5`` per cent of the test samples, or ""."""
    if row.accuracy is None:
        return ""
    mean, sd = 100 * row.accuracy.mean, 100 * row.accuracy.sd
    return f"{mean:.1f} ± {sd:.1f}" if math.isfinite(sd) else f"{mean:.1f}"


def bounds(row: Row) -> str:
    """``0.831-0.836``, the 95 % interval of the mean test RMS, or ""."""
    if not math.isfinite(row.interval.low):
        return ""
    return f"{number(row.interval.low)}-{number(row.interval.high)}"


def evaluations(row: Row) -> str:
    """``412 + 200``: passes for losses and for gradients, means over runs, or ""."""
    losses, gradients = row.mean(lambda run: run.loss_evaluations), row.mean(lambda run: run.gradient_evaluations)
    return f"{losses:.0f} + {gradients:.0f}" if math.isfinite(losses) else ""


COLUMNS = (
    Column("rank", rank, leaves=1),
    Column("optimiser", lambda r: r.optimiser, numeric=False),
    Column("backend", backend, numeric=False),
    Column("tuning needed", tuning, numeric=False, wraps=True),
    Column("train RMS", lambda r: mean_sd(r.train), leaves=5),
    Column("test RMS", lambda r: mean_sd(r.test)),
    Column("accuracy %", accuracy),
    Column("95 % interval", bounds, leaves=9),
    Column("vs best", versus_best),
    Column("seeds", lambda r: str(r.runs), leaves=3),
    Column("iter.", lambda r: str(r.iterations or ""), leaves=4),
    Column("losses + gradients", evaluations, leaves=8),
    Column("s/run", lambda r: number(r.seconds_per_run, 2), leaves=6),
    Column("ms/it", lambda r: number(r.ms_per_iteration, 2), leaves=2),
    Column("bound", lambda r: number(r.mean(lambda run: run.lipschitz_bound), 2), leaves=2),
    Column("measured", lambda r: number(r.mean(lambda run: run.lipschitz_measured), 2), leaves=7),
    Column("failures", failures, numeric=False, wraps=True),
)


def columns_of(board: Board) -> list[Column]:
    """The columns that have something to say about the board: accuracy is for classes."""
    classes = any(row.accuracy for row in board.rows)
    return [column for column in COLUMNS if classes or column.cell is not accuracy]


def fitting(
    columns: Sequence[Column], build: Callable[[Sequence[Column]], Table], width: int
) -> tuple[list[Column], Table]:
    """The columns that fit into ``width``, in their order, and the table that ``build`` makes of them."""
    kept = list(columns)
    for level in sorted({column.leaves for column in columns} - {0}, reverse=True):
        if Measurement.get(_BOUNDLESS, _BOUNDLESS.options, build(kept)).maximum <= width:
            break
        kept = [column for column in kept if column.leaves < level]
    return kept, build(kept)


def left_out(columns: Sequence[Column], kept: Sequence[Column]) -> list[str]:
    """The remark that names what did not fit, if anything did not."""
    hidden = ", ".join(column.header for column in columns if column not in kept)
    return [f"Left out on a terminal of this width: {hidden}."] if hidden else []


def titled(title: str, table: Table) -> RenderableType:
    """A table under its title."""
    return Group(Text(title, style="bold"), Text(), table, Text())


def terminal(boards: Sequence[Board], *, width: int) -> RenderableType:
    """Every board with its title and captions; what does not fit into ``width`` is left out and named."""
    return Group(*(part for board in boards for part in _board(board, width)))


def _board(board: Board, width: int) -> list[RenderableType]:
    columns = columns_of(board)
    kept, table = fitting(columns, partial(_table, board), width)
    notes = [*captions(board), *left_out(columns, kept)]
    return [titled(board_title(board), table), *(Text(note, style="dim") for note in notes), Text()]


def _table(board: Board, columns: Sequence[Column]) -> Table:
    table = plain_table(columns)
    for rows in (board.optimisers, board.predictors, board.published):
        for row in rows:
            table.add_row(*(column.cell(row) for column in columns), style="" if row.records else "dim")
        table.add_section()
    return table


def markdown_table(columns: Sequence[Column], rows: Iterable[Any]) -> list[str]:
    """The lines of a Markdown table: header, alignment, one a row."""
    return [
        _line(markdown_cell(column.header) for column in columns),
        _line("---:" if column.numeric else "---" for column in columns),
        *(_line(markdown_cell(column.cell(row)) for column in columns) for row in rows),
    ]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
