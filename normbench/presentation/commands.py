"""The command that makes the runs of a row again."""

import shlex
from collections.abc import Collection, Iterable

from normbench import backends, specs
from normbench.analysis.frontier import Frontier
from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.selection import unusual_hyperparameters
from normbench.analysis.tuning import Rule, Second
from normbench.campaigns.grid import Grid
from normbench.campaigns.search import TUNING_SEEDS, usual_budget
from normbench.campaigns.usual import MOST_SEEDS
from normbench.problems import tasks
from normbench.records.plug_ins import given_grids
from normbench.records.schema import Record
from normbench.running.axis import Axis, Level
from normbench.running.request import axes, setting
from normbench.specs.values import grid_text, value_text

_HYPERPARAMETERS = "hyperparameters"
Searched = Board | Frontier


def command(row: Row, board: Searched) -> str:
    """``normbench run ...`` for the runs of one row, or "" where no such command makes them.

    ``normbench run`` runs an optimiser at its default and at the best of its grid, so both rows have the same command;
    the best of two grids has one of its own. Hyperparameters off their defaults, other than those that were chosen, are
    given to it, as are the values of a search that a user named.
    It takes the seeds from the first to the last of the row, which may have left some out; more of them than a command
    takes, and full batches on a task that has mini-batches, cannot be asked for.

    Parameters
    ----------
    row : Row
    board : Board or Frontier
        That holds the row, and among its runs or trials the search, which may have been made on another backend.
    """
    if not row.records:
        return ""
    first = row.records[0]
    if not tasks.is_known(first.request.task):
        return ""
    words = ["normbench", "run"]
    for axis in axes():
        if axis.name == _HYPERPARAMETERS:
            words += _set(row, axis.option)
            continue
        value = getattr(first.request, axis.name)
        if axis.name == "backend":
            words += [word for backend in _backends(row, board) for word in (axis.option, backend)]
        elif axis.name == "seed":
            if not (seeds := _seeds(row.seeds)):
                return ""
            words += [axis.option, seeds]
        elif value == _unsaid(axis, first):
            continue
        elif value is None or not axis.option:
            return ""
        else:
            words += [axis.option, _text(value)]
    return shlex.join([*words, *_searches(row)])


def _seeds(seeds: Collection[int]) -> str:
    """``N`` for 0 to N - 1, ``A..B`` for those from another first one, "" where they are too many."""
    first, last = min(seeds), max(seeds)
    if last - first >= MOST_SEEDS:
        return ""
    return f"{first}..{last}" if first else str(last + 1)


def _set(row: Row, option: str) -> list[str]:
    """The hyperparameters that a user has set, and the grids."""
    first = row.records[0]
    spec, values = first.spec, first.request.hyperparameters
    own = {h.name for h in spec.searched if h.required or (row.tuning and Rule.GIVEN in row.tuning.rules)}
    names = [h.name for h in spec.hyperparameters if h.name in {*unusual_hyperparameters(first), *own}]
    grids = [h for h in spec.searched if h.name in given_grids(first)]
    return [
        *(word for name in names for word in (option, f"{name}={value_text(values[name])}")),
        *(word for h in grids for word in ("--grid", f"{h.name}={grid_text(h.grid)}")),
    ]


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
    tuned = record.spec.tuned
    if tuned is None:
        return []
    values: dict[str, set[specs.Value]] = {}
    for run in runs:
        if _same_search(run, record):
            values.setdefault(run.request.backend, set()).add(run.request.hyperparameters[tuned.name])
    wanted = set(tuned.grid) if whole else {record.request.hyperparameters[tuned.name]}
    return sorted((b for b, tried in values.items() if tried >= wanted), key=backends.names().index)


def _searches(row: Row) -> list[str]:
    """How many hyperparameters were searched, where it was not one, and the runs that this took, where the usual budget
    may have made others and chosen another value."""
    spec, found = row.records[0].spec, row.tuning
    if spec.tuned is None or found is None or found.tried is None:
        return []
    second, more = found.second, found.second.cost if found.second else 0
    usual = _is_usual(spec.tuned, found.tried, found.cost - more, ended=found.value not in found.tried)
    if second and spec.second:
        # where nothing lies beyond, a budget would let the first search go further than it went
        ended = not second.on_edge or not _goes_on(spec.second, second)
        usual = usual and _is_usual(spec.second, second.tried, more + TUNING_SEEDS, ended=ended)
    return [*(["--tune", "two"] if second else []), *([] if usual else ["--tuning-budget", str(found.cost)])]


def _is_usual(h: specs.Hyperparameter, tried: tuple[float, float], cost: int, *, ended: bool) -> bool:
    """True if a search with the usual budget makes the same trials; it ended by itself where its best lies inside."""
    (low, high), grid = tried, Grid(h.grid, h)
    usual = usual_budget(h.grid)
    whole = low <= grid.place(h.grid[0]) and high >= grid.place(h.grid[-1])
    return whole and (cost == usual or (ended and cost < usual))


def _goes_on(h: specs.Hyperparameter, found: Second) -> bool:
    """True if a search may try another value beyond the end at which the chosen one lies."""
    grid, (low, high) = Grid(h.grid, h), found.tried
    beyond = [value for k in (-1, len(grid)) for value in grid.outwards(k) if not isinstance(value, tuple)]
    least, most = min((*beyond, low)), max((*beyond, high))
    return found.value in ([low] if least < low else []) + ([high] if most > high else [])


def _same_search(run: Record, record: Record) -> bool:
    levels, left_out = (Level.BOARD, Level.ROW), ("backend", "device", "dtype", "judged_on", _HYPERPARAMETERS)
    same = setting(run.request, *levels, without=left_out) == setting(record.request, *levels, without=left_out)
    return same and unusual_hyperparameters(run) == unusual_hyperparameters(record)
