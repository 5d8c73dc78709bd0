"""The command that makes the runs of a row again."""

import shlex
from collections.abc import Iterable, Sequence

from normbench import specs, tasks
from normbench.records.schema import Record
from normbench.report.selection import other_hyperparameters, tuning_cost
from normbench.training.request import DEVICES, DTYPES, SCHEDULES


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
    task = tasks.TASKS.get(first.task)
    if task is None or other_hyperparameters(first) or (first.batch_size is None and task.batch_size is not None):
        return ""
    words = ["normbench", "run", "--task", first.task, "--optimiser", first.optimiser]
    for backend in _backends(runs, board):
        words += ["--backend", backend]
    words += ["--seeds", str(1 + max(run.seed for run in runs)), "--iterations", str(first.iterations)]
    words += ["--layers", ",".join(map(str, first.layers))]
    words += _unless("--split", first.split, task.split)
    words += _unless("--device", first.device, DEVICES[0])
    words += [] if first.batch_size is None else ["--batch-size", str(first.batch_size)]
    words += _unless("--schedule", first.schedule, SCHEDULES[0])
    words += [] if first.backend == "reference" else _unless("--dtype", first.dtype, DTYPES[0])  # it has float64 only
    return shlex.join(words)


def _unless(option: str, value: str, default: str) -> list[str]:
    return [] if value == default else [option, value]


def _backends(runs: Sequence[Record], board: Iterable[Record]) -> list[str]:
    """The row's backend and, for a tuned row, that of the search that chose its value, where the records show one."""
    own = runs[0].backend
    if not tuning_cost(runs):
        return [own]
    searched = _searched(runs[0], board)
    return [own] if own in searched or not searched else sorted({own, *searched[:1]}, key=specs.BACKENDS.index)


def _searched(record: Record, board: Iterable[Record]) -> list[str]:
    """Backends that ran the whole grid."""
    tuned = specs.get(record.optimiser).tuned
    if tuned is None:
        return []
    values: dict[str, set[specs.Value]] = {}
    for run in board:
        if _same_search(run, record):
            values.setdefault(run.backend, set()).add(run.hyperparameters[tuned.name])
    return sorted((b for b, tried in values.items() if tried >= set(tuned.grid)), key=specs.BACKENDS.index)


def _same_search(run: Record, record: Record) -> bool:
    same = (run.optimiser, run.iterations) == (record.optimiser, record.iterations)
    same &= (run.batch_size, run.schedule) == (record.batch_size, record.schedule)
    return same and not other_hyperparameters(run)
