"""Which stored runs count, and which of them belong together: boards, rows, and rules of tuning."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from normbench import specs
from normbench.records.schema import Record

Key = TypeVar("Key", bound=tuple[Any, ...])
BoardKey = tuple[str, str, tuple[int, ...]]
RowKey = tuple[str, str, str, str, str, int, int, str]


def board_key(record: Record) -> BoardKey:
    """Task, split and network: what has a leaderboard of its own."""
    return record.task, record.split, record.layers


def row_key(record: Record) -> RowKey:
    """Optimiser, hyperparameters, backend, device, dtype, iterations, batch and schedule: what is a row of its own."""
    values = json.dumps(record.hyperparameters, sort_keys=True)
    where = record.backend, record.device, record.dtype
    return record.optimiser, values, *where, record.iterations, record.batch_size or 0, record.schedule


def grouped(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, list[Record]]:
    """Records by key, in the order of the keys; those of one key in the order given."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return dict(sorted(groups.items()))


def known(records: Iterable[Record]) -> list[Record]:
    """Those whose optimiser this normbench declares."""
    return [record for record in records if record.optimiser in specs.SPECS]


def current(records: Iterable[Record]) -> list[Record]:
    """Of each board the newest data, and of each row on them the newest code; by seed within a row."""
    chosen: list[Record] = []
    for board in grouped(known(records), board_key).values():
        latest = max(board, key=lambda r: (r.created, r.data_sha256)).data_sha256
        for row in grouped([r for r in board if r.data_sha256 == latest], row_key).values():
            newest = max(row, key=lambda r: (r.created, r.code_version)).code_version
            chosen += sorted((r for r in row if r.code_version == newest), key=lambda r: r.seed)
    return chosen


def tuning_cost(runs: Sequence[Record]) -> int:
    """Runs that the choice of a row's hyperparameters cost."""
    return max(run.tuning_runs for run in runs)


def rules(runs: Sequence[Record]) -> list[str]:
    """What the runs of one row stand for: "none" where nothing is tuned, else "default", "best of 5", both, or nothing.

    Nothing: the runs of a search at a value that was neither the default nor chosen.
    """
    spec = specs.get(runs[0].optimiser)
    if spec.tuned is None:
        return ["none"]
    cost = tuning_cost(runs)
    is_default = runs[0].hyperparameters[spec.tuned.name] == spec.tuned.default
    return ["default"] * is_default + [f"best of {cost}"] * (cost > 0)


def other_hyperparameters(record: Record) -> list[str]:
    """``order 3``, ``p_bound off``: what is not at its default, the tuned one apart."""
    return [
        f"{h.name} {_text(record.hyperparameters[h.name])}"
        for h in specs.get(record.optimiser).hyperparameters
        if not h.grid and record.hyperparameters[h.name] != h.default
    ]


def protocol(record: Record) -> list[str]:
    """``batch 32``, ``plateau``: what is not the full batch at a constant learning rate."""
    words = [] if record.batch_size is None else [f"batch {record.batch_size}"]
    return words + ([] if record.schedule == "constant" else [record.schedule])


def _text(value: specs.Value) -> str:
    if isinstance(value, str):
        return value
    return "off" if value is None else f"{value:g}"
