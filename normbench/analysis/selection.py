"""Which stored runs count, and which of them belong together: boards, rows and searches.

What separates runs is declared with the fields of a request (:class:`normbench.running.request.Asked`) and derived
from there.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from normbench import backends, specs
from normbench.analysis.tuning import searched
from normbench.data.splits import TEST
from normbench.errors import InvalidArgumentError
from normbench.records.schema import Record
from normbench.records.versions import contradictions, machine
from normbench.running.axis import Level
from normbench.running.request import RunRequest, setting

Key = TypeVar("Key")
Sortable = tuple[tuple[str, bool, Any], ...]
_HYPERPARAMETERS = "hyperparameters"


def sortable(record: Record, *levels: Level, without: Collection[str] = ()) -> Sortable:
    """What separates the record from others on these levels, in an order: nothing before something."""
    return _sortable(record.request, levels, tuple(without))


@lru_cache(maxsize=2**15)  # boards and comparisons group the same records again and again
def _sortable(request: RunRequest, levels: tuple[Level, ...], without: tuple[str, ...]) -> Sortable:
    return tuple(
        (name, value is not None, _ordered(value)) for name, value in setting(request, *levels, without=without)
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
    """What the runs of one search for the best values have in common: all but the values that are tuned."""
    return (*sortable(record, Level.BOARD, Level.ROW, without=(_HYPERPARAMETERS,)), ("fixed", True, fixed(record)))


def fixed(record: Record) -> str:
    """The hyperparameters that are not tuned, as text to compare.

    A second that a search has chosen counts as what it was while the first was searched: at its default. A user's own
    value of it is no choice, and separates.
    """
    tuned, values = searched(record), dict(setting(record.request))[_HYPERPARAMETERS]
    left_out, before = [h.name for h in tuned[:1]], {h.name: h.default for h in tuned[1:]}
    return json.dumps([(name, before.get(name, value)) for name, value in values if name not in left_out])


def grouped(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, list[Record]]:
    """Records by key, in the order of the keys; those of one key in the order given."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return dict(sorted(groups.items()))


def strange(record: Record) -> str:
    """Why this normbench cannot show the record among its own, or "": names that it does not declare."""
    try:
        spec, given = record.spec, record.request.hyperparameters
    except InvalidArgumentError:
        return f"the optimiser {record.request.optimiser!r}"
    if record.request.backend not in backends.names():
        return f"the backend {record.request.backend!r}"
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


def results(records: Iterable[Record]) -> list[Record]:
    """Those that were judged on the test set: what stands on boards and is compared. The others are trials."""
    return [record for record in records if record.request.judged_on == TEST]


def trials(records: Iterable[Record]) -> list[Record]:
    """Those that were judged on a validation part: they choose, and are no results."""
    return [record for record in records if record.request.judged_on != TEST]


def current(records: Iterable[Record]) -> list[Record]:
    """Of each board the newest data, and of each row on them the newest code and one set of libraries; by seed.

    Where versions of libraries differ that can change a number, see
    :func:`normbench.records.versions.contradictions`, those count that made most of the row, the newest of equals.
    """
    chosen: list[Record] = []
    for board in grouped(known(records), board_key).values():
        latest = max(board, key=lambda r: (r.provenance.created, r.provenance.data_sha256)).provenance.data_sha256
        for row in grouped([r for r in board if r.provenance.data_sha256 == latest], row_key).values():
            newest = max(row, key=lambda r: (r.provenance.created, r.provenance.code_version)).provenance.code_version
            alike = _made_alike([r for r in row if r.provenance.code_version == newest])
            chosen += sorted(alike, key=lambda r: r.request.seed)
    return chosen


def _made_alike(runs: Sequence[Record]) -> Sequence[Record]:
    """Those of a row that the same versions of libraries made, as far as they say."""
    groups: list[tuple[dict[str, str], list[Record]]] = []
    for run in runs:
        made = run.provenance.environment
        for said, members in groups:
            if made == said or not contradictions(said, made, run.request.backend):
                said.update(made)
                members.append(run)
                break
        else:
            groups.append((dict(made), [run]))
    return _most(members for _, members in groups)


def timed_alike(runs: Iterable[Record]) -> list[Record]:
    """The runs of that environment which made most of them, the newest of equals: other machines have other clocks."""
    groups: dict[object, list[Record]] = {}
    for run in runs:
        groups.setdefault(machine(run.provenance.environment, run.provenance.threads), []).append(run)
    return _most(groups.values())


def _most(groups: Iterable[list[Record]]) -> list[Record]:
    return max(groups, key=lambda group: (len(group), max(run.provenance.created for run in group)))


def unusual_hyperparameters(record: Record) -> dict[str, specs.Value]:
    """What is not at its default, the tuned ones apart."""
    tuned = searched(record)
    return {
        h.name: record.request.hyperparameters[h.name]
        for h in record.spec.hyperparameters
        if h not in tuned and (h.required or record.request.hyperparameters[h.name] != h.default)
    }
