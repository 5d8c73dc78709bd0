"""The command that makes the runs of a row again."""

import shlex
from collections.abc import Iterable, Sequence

from normbench import specs
from normbench.analysis.selection import other_hyperparameters, tuning_cost
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.running.axis import Axis, Level
from normbench.running.request import axes, setting

_HYPERPARAMETERS = "hyperparameters"


def command(runs: Sequence[Record], board: Iterable[Record]) -> str:
    """``normbench run ...`` for the runs of one row, or "" where no such command makes them.

    ``normbench run`` runs an optimiser at its default and at the best of its grid, so both rows have the same command.
    It takes the seeds 0 to N - 1: where the row has others, N is large enough to hold them. Hyperparameters off their
    defaults, other than the tuned one, cannot be given to it, nor full batches on a task that has mini-batches.

    Parameters
    ----------
    runs : sequence of Record
        The runs of the row.
    board : iterable of Record
        All runs of its board; among them is the search, which may have been made on another backend.
    """
    first = runs[0]
    if first.request.task not in tasks.TASKS or other_hyperparameters(first):
        return ""
    words = ["normbench", "run"]
    for axis in axes():
        if axis.name == _HYPERPARAMETERS:
            continue  # at their defaults, but the one that the command tunes itself
        value = getattr(first.request, axis.name)
        if axis.name == "backend":
            words += [word for backend in _backends(runs, board) for word in (axis.option, backend)]
        elif axis.name == "seed":
            words += [axis.option, str(1 + max(run.request.seed for run in runs))]
        elif value == _unsaid(axis, first):
            continue
        elif value is None or not axis.option:
            return ""
        else:
            words += [axis.option, _text(value)]
    return shlex.join(words)


def _unsaid(axis: Axis, record: Record) -> object:
    """What the command does where nothing is said."""
    if record.request.backend == "reference" and axis.name == "dtype":
        return record.request.dtype  # it has float64 only
    return getattr(tasks.get(record.request.task), axis.name) if axis.of_task else axis.default


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _backends(runs: Sequence[Record], board: Iterable[Record]) -> list[str]:
    """The row's backend and, for a tuned row, that of the search that chose its value, where the records show one."""
    own = runs[0].request.backend
    if not tuning_cost(runs):
        return [own]
    searched = _searched(runs[0], board)
    return [own] if own in searched or not searched else sorted({own, *searched[:1]}, key=specs.BACKENDS.index)


def _searched(record: Record, board: Iterable[Record]) -> list[str]:
    """Backends that ran the whole grid."""
    tuned = specs.get(record.request.optimiser).tuned
    if tuned is None:
        return []
    values: dict[str, set[specs.Value]] = {}
    for run in board:
        if _same_search(run, record):
            values.setdefault(run.request.backend, set()).add(run.request.hyperparameters[tuned.name])
    return sorted((b for b, tried in values.items() if tried >= set(tuned.grid)), key=specs.BACKENDS.index)


def _same_search(run: Record, record: Record) -> bool:
    left_out = ("backend", "device", "dtype", _HYPERPARAMETERS)
    same = setting(run.request, Level.ROW, without=left_out) == setting(record.request, Level.ROW, without=left_out)
    return same and not other_hyperparameters(run)
