"""Which stored runs count, which of them belong together, and what they are called: boards, rows, rules and labels.

What separates runs, and how it is said, is declared with the fields of a request
(:class:`normbench.running.request.Asked`) and derived from there.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.records.versions import machine
from normbench.running.axis import Level, Place
from normbench.running.request import axes, setting

Key = TypeVar("Key")
Sortable = tuple[tuple[str, bool, Any], ...]
_HYPERPARAMETERS = "hyperparameters"


def sortable(record: Record, *levels: Level, without: Collection[str] = ()) -> Sortable:
    """What separates the record from others on these levels, in an order: nothing before something."""
    return tuple(
        (name, value is not None, _ordered(value)) for name, value in setting(record.request, *levels, without=without)
    )


def _ordered(value: Any) -> Any:
    """The value as something that has an order among its like; pairs of names and mixed values as text."""
    if isinstance(value, tuple) and not (value and all(isinstance(item, int) for item in value)):
        return json.dumps(value)
    return 0 if value is None else value


def board_key(record: Record) -> Sortable:
    """Task, split and network: what has a leaderboard of its own."""
    return sortable(record, Level.BOARD)


def row_key(record: Record) -> Sortable:
    """Optimiser, hyperparameters, backend, ...: what is a row of its own on its board."""
    return sortable(record, Level.ROW)


def search_key(record: Record) -> Sortable:
    """What the runs of one search for the best value have in common: all but the value that is tuned."""
    return (*sortable(record, Level.BOARD, Level.ROW, without=(_HYPERPARAMETERS,)), ("fixed", True, fixed(record)))


def fixed(record: Record) -> str:
    """The hyperparameters that are not tuned, as text to compare."""
    tuned = specs.get(record.request.optimiser).tuned
    values = dict(setting(record.request))[_HYPERPARAMETERS]
    return json.dumps([(name, value) for name, value in values if tuned is None or name != tuned.name])


def grouped(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, list[Record]]:
    """Records by key, in the order of the keys; those of one key in the order given."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return dict(sorted(groups.items()))


def strange(record: Record) -> str:
    """Why this normbench cannot show the record among its own, or "": names that it does not declare."""
    if record.request.optimiser not in specs.SPECS:
        return f"the optimiser {record.request.optimiser!r}"
    if record.request.backend not in specs.BACKENDS:
        return f"the backend {record.request.backend!r}"
    spec, given = specs.get(record.request.optimiser), record.request.hyperparameters
    if {h.name for h in spec.hyperparameters} != given.keys():
        return f"{record.request.optimiser} with the hyperparameters {', '.join(sorted(given)) or 'none'}"
    try:
        spec.resolve(given)
    except InvalidArgumentError as error:
        return f"{record.request.optimiser}: {error}"
    return ""


def known(records: Iterable[Record]) -> list[Record]:
    """Those whose optimiser, hyperparameters and backend this normbench declares."""
    return [record for record in records if not strange(record)]


def remarks(records: Iterable[Record]) -> list[str]:
    """Sentences on every record that boards leave out or show without knowing it, so that none goes without a word."""
    every = list(records)
    hidden = Counter(filter(None, map(strange, every)))
    foreign = Counter(
        record.request.task for record in every if record.request.task not in tasks.TASKS and not strange(record)
    )
    return [
        *(f"{_records(n)} of {what}, not known to this normbench, not shown." for what, n in sorted(hidden.items())),
        *(f"{_records(n)} of the task {task!r}, not known to this normbench." for task, n in sorted(foreign.items())),
    ]


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def current(records: Iterable[Record]) -> list[Record]:
    """Of each board the newest data, and of each row on them the newest code; by seed within a row."""
    chosen: list[Record] = []
    for board in grouped(known(records), board_key).values():
        latest = max(board, key=lambda r: (r.provenance.created, r.provenance.data_sha256)).provenance.data_sha256
        for row in grouped([r for r in board if r.provenance.data_sha256 == latest], row_key).values():
            newest = max(row, key=lambda r: (r.provenance.created, r.provenance.code_version)).provenance.code_version
            chosen += sorted((r for r in row if r.provenance.code_version == newest), key=lambda r: r.request.seed)
    return chosen


def timed_alike(runs: Iterable[Record]) -> list[Record]:
    """The runs of that environment which made most of them, the newest of equals: other machines have other clocks."""
    groups: dict[object, list[Record]] = {}
    for run in runs:
        groups.setdefault(machine(run.provenance.environment, run.provenance.threads), []).append(run)
    return max(groups.values(), key=lambda group: (len(group), max(run.provenance.created for run in group)))


def tuning_cost(runs: Sequence[Record]) -> int:
    """Runs that the choice of a row's hyperparameters cost."""
    return max(run.provenance.tuning_runs for run in runs)


def rules(runs: Sequence[Record]) -> list[str]:
    """What the runs of one row stand for: "none" where nothing is tuned, else "default", "best of 5", both, or nothing.

    Nothing: the runs of a search at a value that was neither the default nor chosen.
    """
    spec = specs.get(runs[0].request.optimiser)
    if spec.tuned is None:
        return ["none"]
    cost = tuning_cost(runs)
    is_default = runs[0].request.hyperparameters[spec.tuned.name] == spec.tuned.default
    return ["default"] * is_default + [f"best of {cost}"] * (cost > 0)


def other_hyperparameters(record: Record) -> list[str]:
    """``order 3``, ``p_bound off``: what is not at its default, the tuned one apart."""
    return [
        f"{h.name} {value_text(record.request.hyperparameters[h.name])}"
        for h in specs.get(record.request.optimiser).hyperparameters
        if not h.grid and record.request.hyperparameters[h.name] != h.default
    ]


def how(record: Record) -> list[str]:
    """``order 3``, ``batch 32``, ``plateau``: everything about a run that is not as usual, its place apart."""
    return [*other_hyperparameters(record), *_said(record, Place.HOW)]


def where(record: Record) -> str:
    """``torch``, ``jax cuda float64``: backend, and device and dtype where they are not the usual ones."""
    return " ".join(_said(record, Place.WHERE))


def _said(record: Record, place: Place) -> list[str]:
    found = (axis.label(getattr(record.request, axis.name)) for axis in axes() if axis.place is place)
    return [words for words in found if words]


def value_text(value: specs.Value) -> str:
    """A hyperparameter in words, with as many digits as tell it from every other value."""
    if isinstance(value, str):
        return value
    if value is None:
        return "off"
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def tuned_value(record: Record) -> str:
    """The value of the hyperparameter that is tuned, or "" where there is none."""
    tuned = specs.get(record.request.optimiser).tuned
    return value_text(record.request.hyperparameters[tuned.name]) if tuned else ""
