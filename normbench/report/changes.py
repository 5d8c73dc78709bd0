"""What a comparison of two sets of records found, as tables."""

import math
from collections.abc import Iterable, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from normbench.report.compare import Change, Comparison, Key
from normbench.report.tables import Column, fitting, left_out, number, percent, stars, titled
from normbench.report.terminal import plain_table

_NOTE = (
    "Change of the geometric mean and its 95 % interval, NEW relative to OLD. seeds 'n paired': over n shared seeds, "
    "by the paired t test on log-ratios; 'n | m': over other seeds, by Welch's test on the RMS relative to that of the "
    "linear predictor on the same split. * p < 0.05, ** p < 0.01, *** p < 0.001 after Holm's correction over all rows; "
    "worse or better: p < 0.05 and a change of more than 1 %, or a run that had a result and has none. "
    "Milliseconds per iteration are shown, not judged."
)


def comparison_tables(comparisons: Sequence[Comparison], *, width: int) -> RenderableType:
    """A table for every task, split and network, the worst rows first; what does not fit is left out and named."""
    boards: dict[tuple[str, str, tuple[int, ...]], list[Comparison]] = {}
    for comparison in comparisons:
        boards.setdefault(comparison.key[:3], []).append(comparison)
    parts = [part for _, rows in sorted(boards.items()) for part in _board(rows, width)]
    return Group(*parts, Text(_note(comparisons), style="dim"), Text())


def _note(comparisons: Sequence[Comparison]) -> str:
    metrics = dict.fromkeys(change.metric for comparison in comparisons for change in comparison.changes)
    return " ".join([*(f"{metric.name}: {metric.better.value}." for metric in metrics), _NOTE])


def _board(rows: Sequence[Comparison], width: int) -> list[RenderableType]:
    columns = _columns(rows[0])
    kept, table = fitting(columns, partial(_table, rows), width)
    return [titled(_title(rows[0]), table), *(Text(note, style="dim") for note in left_out(columns, kept))]


def _table(rows: Sequence[Comparison], columns: Sequence[Column]) -> Table:
    table = plain_table(columns)
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table


def _columns(row: Comparison) -> list[Column]:
    """Columns of a board; the first metric's interval stays longer than the others'."""
    metrics = [column for k, change in enumerate(row.changes) for column in _metric_columns(k, change.metric.name)]
    return [
        Column("verdict", _verdict, numeric=False, wraps=True),
        Column("optimiser", lambda c: c.key.optimiser, numeric=False),
        Column("backend", _backend, numeric=False),
        Column("tuning", lambda c: c.tuning, numeric=False, wraps=True),
        Column("iter.", lambda c: str(c.key.iterations), leaves=4),
        Column("seeds", _seeds, leaves=2),
        *metrics,
        Column("ms/it", _times, leaves=3),
    ]


def _metric_columns(k: int, name: str) -> tuple[Column, Column]:
    return (
        Column(name, lambda c: _change(c.changes[k])),
        Column(f"interval of {name}" if k else "interval", lambda c: _interval(c.changes[k]), leaves=5 if k else 1),
    )


def _title(row: Comparison) -> str:
    source = "SIMULATED data" if row.simulated else "real data"
    network = "-".join(map(str, row.key.layers))
    return f"{row.key.task} ({source}), network {network}, {row.key.split} split: NEW relative to OLD"


def _backend(row: Comparison) -> str:
    where = [row.key.backend, row.key.device.replace("cpu", ""), row.key.dtype.replace("float32", "")]
    return " ".join(filter(None, where))


def _verdict(row: Comparison) -> str:
    if row.lost or row.gained:
        counts = [f"{n} {word}" for n, word in ((row.lost, "lost"), (row.gained, "gained")) if n]
        return f"{row.verdict}: {', '.join(counts)}"
    if not row.paired and row.old_failures + row.new_failures:
        return f"{row.verdict}: {row.old_failures} | {row.new_failures} failed"
    return row.verdict


def _seeds(row: Comparison) -> str:
    if row.paired:
        return f"{len({*row.old_seeds} & {*row.new_seeds})} paired"
    return f"{len(row.old_seeds)} | {len(row.new_seeds)}"


def _change(change: Change) -> str:
    found = change.difference
    return f"{percent(found.mean)} {stars(found.p_value)}".rstrip() if found else "–"


def _interval(change: Change) -> str:
    found = change.difference
    if found is None:
        return ""
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if math.isfinite(found.high) else "unknown"


def _times(row: Comparison) -> str:
    return f"{number(row.old_ms, 1)} → {number(row.new_ms, 1)}"


def row_names(keys: Iterable[Key]) -> str:
    """``adam (best, jax), agd (torch)``: rows in words, for messages."""
    names = (
        f"{key.optimiser} ({', '.join(part for part in (key.rule, key.backend) if part != 'none')})" for key in keys
    )
    return ", ".join(dict.fromkeys(names))
