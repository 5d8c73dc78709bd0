"""The command that makes the runs of a row again."""

import shlex
from collections.abc import Iterable

from normbench import backends, specs
from normbench.analysis.frontier import Frontier
from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.selection import unusual_hyperparameters
from normbench.campaigns.search import usual_budget
from normbench.presentation.labels import value_text
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.running.axis import Axis, Level
from normbench.running.request import axes, setting

_HYPERPARAMETERS = "hyperparameters"
Searched = Board | Frontier


def command(row: Row, board: Searched) -> str:
    """``normbench run ...`` for the runs of one row, or "" where no such command makes them.

    ``normbench run`` runs an optimiser at its default and at the best of its grid, so both rows have the same command.
    It takes the seeds 0 to N - 1: where the row has others, N is large enough to hold them. Hyperparameters off their
    defaults, other than the tuned one, cannot be given to it, nor full batches on a task that has mini-batches.

    Parameters
    ----------
    row : Row
    board : Board or Frontier
        That holds the row, and among its runs or trials the search, which may have been made on another backend.
    """
    if not row.records:
        return ""
    first = row.records[0]
    if first.request.task not in tasks.TASKS or unusual_hyperparameters(first):
        return ""
    words = ["normbench", "run"]
    for axis in axes():
        if axis.name == _HYPERPARAMETERS:
            continue  # at their defaults, but the one that the command tunes itself
        value = getattr(first.request, axis.name)
        if axis.name == "backend":
            words += [word for backend in _backends(row, board) for word in (axis.option, backend)]
        elif axis.name == "seed":
            words += [axis.option, str(1 + max(row.seeds))]
        elif value == _unsaid(axis, first):
            continue
        elif value is None or not axis.option:
            return ""
        else:
            words += [axis.option, _text(value)]
    return shlex.join([*words, *_budget(row)])


def _unsaid(axis: Axis, record: Record) -> object:
    """What the command does where nothing is said."""
    if axis.name == "dtype":
        return backends.get(record.request.backend).dtype_for(axis.default)
    return getattr(tasks.get(record.request.task), axis.name) if axis.of_task else axis.default


def _text(value: object) -> str:
    if isinstance(value, float):
        return value_text(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _backends(row: Row, board: Searched) -> list[str]:
    """The row's backend and, for a tuned row, that of the search that chose its value, where the records show one."""
    own = row.backend
    if not (row.tuning and row.tuning.cost):
        return [own]
    on_validation = row.tuning.tried is not None
    searched = _searched(row.records[0], board.trials if on_validation else board.runs, whole=not on_validation)
    return [own] if own in searched or not searched else sorted({own, *searched[:1]}, key=backends.names().index)


def _searched(record: Record, runs: Iterable[Record], *, whole: bool) -> list[str]:
    """Backends that ran the whole grid, or at least the value of the record."""
    tuned = specs.get(record.request.optimiser).tuned
    if tuned is None:
        return []
    values: dict[str, set[specs.Value]] = {}
    for run in runs:
        if _same_search(run, record):
            values.setdefault(run.request.backend, set()).add(run.request.hyperparameters[tuned.name])
    wanted = set(tuned.grid) if whole else {record.request.hyperparameters[tuned.name]}
    return sorted((b for b, tried in values.items() if tried >= wanted), key=backends.names().index)


def _budget(row: Row) -> list[str]:
    """The runs that a search made, where one with the usual budget may have made others and chosen another value."""
    tuned = specs.get(row.optimiser).tuned
    if tuned is None or row.tuning is None or row.tuning.tried is None:
        return []
    (low, high), usual = row.tuning.tried, usual_budget(tuned.grid)
    whole = low <= tuned.grid[0] and high >= tuned.grid[-1]
    ended = row.tuning.cost < usual and not row.tuning.on_edge
    return [] if whole and (ended or row.tuning.cost == usual) else ["--tuning-budget", str(row.tuning.cost)]


def _same_search(run: Record, record: Record) -> bool:
    levels, left_out = (Level.BOARD, Level.ROW), ("backend", "device", "dtype", "judged_on", _HYPERPARAMETERS)
    same = setting(run.request, *levels, without=left_out) == setting(record.request, *levels, without=left_out)
    return same and not unusual_hyperparameters(run)
