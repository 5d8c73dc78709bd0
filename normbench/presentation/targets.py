"""What a target costs: iterations, passes over the data and seconds until the training RMS is low enough."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.runs import COSTS, cost_curve, train_rms_curve
from normbench.backends.trajectory import Status
from normbench.errors import InvalidArgumentError
from normbench.presentation.tables import Column, backend, markdown_table, number, titled
from normbench.presentation.terminal import plain_table
from normbench.records.formats import markdown_text
from normbench.records.schema import Record


@dataclass(frozen=True)
class Reach:
    """What one run spent until its training RMS was at the target, or in all where it never was.

    Attributes
    ----------
    iterations : float
        Between two iterations by linear interpolation.
    loss_evaluations, gradient_evaluations : float
        Passes over the training set, as the trainer counted them; NaN for records of schema 1, which kept totals only.
    seconds : float
        Training only, without compilation and evaluation; NaN for a run that failed.
    censored : bool
        True if the target was not reached: it would have cost more than this, or cannot be reached.
    """

    iterations: float
    loss_evaluations: float
    gradient_evaluations: float
    seconds: float
    censored: bool


def reach(record: Record, target_rms: float) -> Reach:
    """When the lowest training RMS so far comes down to the target.

    The running minimum is interpolated linearly between iterations; the counts and, between the checkpoints of the
    clock, the seconds likewise. Diverged and failed runs reach nothing, whatever they passed on their way.

    Parameters
    ----------
    record : Record
    target_rms : float
        In the unit of the record.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    return reaches(record, [target_rms])[0]


def reaches(record: Record, targets_rms: Sequence[float]) -> list[Reach]:
    """:func:`reach` for many targets, with the curves of the run made once."""
    for target in targets_rms:
        if not (math.isfinite(target) and target > 0):
            raise InvalidArgumentError(f"target_rms must be positive and finite; got {target}.")
    lowest = np.fmin.accumulate(train_rms_curve(record))
    if record.outcome.status in (Status.DIVERGED, Status.FAILED) or not len(lowest):
        return [spent(record)] * len(targets_rms)
    positions = [math.nan if lowest[-1] > target else _crossing(lowest, target) for target in targets_rms]
    amounts = {cost: np.interp(positions, np.arange(len(lowest)), cost_curve(record, cost)) for cost in COSTS}
    return [
        spent(record)
        if math.isnan(position)
        else Reach(**{cost: float(values[k]) for cost, values in amounts.items()}, censored=False)
        for k, position in enumerate(positions)
    ]


def spent(record: Record) -> Reach:
    """What the run spent in all, as for a target that it does not reach."""
    return Reach(
        iterations=float(record.outcome.iterations_done),
        loss_evaluations=float(record.outcome.loss_evaluations),
        gradient_evaluations=float(record.outcome.gradient_evaluations),
        seconds=record.outcome.seconds_train,
        censored=True,
    )


def _crossing(lowest: np.ndarray, target_rms: float) -> float:
    """Iteration, a fraction included, at which a curve that never rises comes down to the target."""
    after = int(np.argmax(lowest <= target_rms))
    if not after:
        return 0.0
    above, below = lowest[after - 1], lowest[after]
    return after - 1 + float((above - target_rms) / (above - below))


@dataclass(frozen=True)
class Median:
    """Median of a cost over runs.

    Attributes
    ----------
    value : float
    censored : bool
        True if half of the runs or more did not reach the target; ``value`` is then a lower bound.
    """

    value: float
    censored: bool

    def __str__(self) -> str:
        return f"> {number(self.value, 2)}" if self.censored else number(self.value, 2)


@dataclass(frozen=True)
class Attainment:
    """A target over all runs of a row: how many reached it, and the median of what that took.

    A run that did not reach it counts as infinitely dear: a median over those that did would be the lower the more
    runs fail. Where this makes the median infinite, it is given as more than the median of what was spent.
    """

    runs: int
    reached: int
    iterations: Median
    loss_evaluations: Median
    gradient_evaluations: Median
    seconds: Median


def attain(runs: Sequence[Record], target_rms: float) -> Attainment:
    """How the runs of one row reach a training RMS, see :func:`reach`.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    found = [reach(run, target_rms) for run in runs]
    return Attainment(len(found), sum(not one.censored for one in found), *(_median(found, cost) for cost in COSTS))


def _median(found: Sequence[Reach], cost: str) -> Median:
    spent = [getattr(one, cost) for one in found]
    charged = [math.inf if one.censored else value for one, value in zip(found, spent, strict=True)]
    middle = float(np.median(charged))
    if middle < math.inf or math.isnan(middle):
        return Median(middle, False)
    return Median(float(np.median(np.nan_to_num(spent))), True)  # a run that failed has no clock: 0 is all that is sure


def fields(row: Row, records: Mapping[str, Record], target_rms: float) -> dict[str, Any]:
    """An attainment as columns beside those of the board; empty cells for rows that were not run here.

    Parameters
    ----------
    row : Row
    records : mapping of str to Record
        By identity.
    target_rms : float
    """
    found = attain([records[name] for name in row.records], target_rms) if row.records else None
    columns: dict[str, Any] = {"target_rms": target_rms, "reached": found and found.reached}
    for cost in COSTS:
        median = found and getattr(found, cost)
        columns |= {f"{cost}_to_target": median and median.value, f"{cost}_censored": median and median.censored}
    return columns


Line = tuple[Row, Attainment]

_COLUMNS = (
    Column("optimiser", lambda line: line[0].optimiser, numeric=False),
    Column("backend", lambda line: backend(line[0]), numeric=False),
    Column("tuning needed", lambda line: line[0].tuning, numeric=False, wraps=True),
    Column("reached", lambda line: f"{line[1].reached}/{line[1].runs}"),
    Column("iterations", lambda line: str(line[1].iterations)),
    Column("losses", lambda line: str(line[1].loss_evaluations)),
    Column("gradients", lambda line: str(line[1].gradient_evaluations)),
    Column("seconds", lambda line: str(line[1].seconds)),
)
NOTE = (
    "Medians over all runs, interpolated between iterations; a run that does not reach the target counts as infinitely "
    "dear. '>': half of the runs or more did not reach it, so it takes more than this. losses and gradients: passes "
    "over the training set. What tuning cost is not added."
)


def _lines(board: Board, records: Mapping[str, Record], target_rms: float) -> list[Line]:
    """Rows that were run here: those that reach the target more often first, then those that need fewer iterations."""
    rows = [row for row in board.rows if row.records]
    lines = [(row, attain([records[name] for name in row.records], target_rms)) for row in rows]
    return sorted(lines, key=lambda line: (-line[1].reached / line[1].runs, line[1].iterations.value))


def _title(board: Board, target_rms: float) -> str:
    return f"{board.title}: to a training RMS of {target_rms:g} {board.unit}"


def targets_table(found: Sequence[Board], records: Iterable[Record], target_rms: float) -> RenderableType:
    """For every board of the records, what each row needs to reach a training RMS.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    by_name = {run.record_id: run for run in records}
    tables = [_table(board, _lines(board, by_name, target_rms), target_rms) for board in found]
    return Group(*tables, Text(NOTE, style="dim"))


def _table(board: Board, lines: Sequence[Line], target_rms: float) -> RenderableType:
    table = plain_table(_COLUMNS)
    for line in lines:
        table.add_row(*(column.cell(line) for column in _COLUMNS))
    return titled(_title(board, target_rms), table)


def targets_markdown(found: Sequence[Board], records: Iterable[Record], target_rms: float) -> str:
    """The same as Markdown: a heading, a table and a note for every board; errors as :func:`targets_table`."""
    by_name = {run.record_id: run for run in records}
    parts = []
    for board in found:
        lines = _lines(board, by_name, target_rms)
        parts += [f"## {markdown_text(_title(board, target_rms))}", "", *markdown_table(_COLUMNS, lines), ""]
        parts += [f"- {markdown_text(NOTE)}", ""]
    return "\n".join(parts)
