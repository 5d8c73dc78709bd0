"""What a comparison of two sets of records found, as tables."""

import math
from collections.abc import Iterable, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from normbench.analysis.compare import Change, Comparison, Key, Metric
from normbench.analysis.selection import Sortable, board_key
from normbench.analysis.tuning import Rule
from normbench.presentation.labels import chosen_text, how, network_title, where
from normbench.presentation.quantities import (
    ITERATIONS,
    MILLISECONDS,
    OPTIMISER,
    SEEDS,
    TEST_RMS,
    TRAIN_RMS,
    WHERE,
)
from normbench.presentation.quantity import Quantity
from normbench.presentation.tables import Column, fitting, number, percent, stars, titled
from normbench.presentation.terminal import plain_table
from normbench.records.schema import Record


def _metric(quantity: Quantity, part: str) -> Metric:
    """The quantity of a run, to be judged relative to linear least squares on the same split, where there is a fit."""

    def difficulty(run: Record) -> float:
        # tokens have no linear fit, and one without error is no measure
        return run.outcome.predictors.get("linear", {}).get(part, 1.0) or 1.0

    return Metric(quantity.header, quantity.run, quantity.better, difficulty)


METRICS = (_metric(TEST_RMS, "test"), _metric(TRAIN_RMS, "train"))
_NOTE = (
    "Change of the geometric mean and its 95 % interval, NEW relative to OLD. seeds 'n paired': over n shared seeds, "
    "by the paired t test on log-ratios; 'n | m': over other seeds, by Welch's test on the RMS relative to that of the "
    "linear predictor on the same split. * p < 0.05, ** p < 0.01, *** p < 0.001 after Holm's correction over all rows; "
    "worse or better: p < 0.05 and a change of more than 1 %, or a run that had a result and has none. "
    "Milliseconds per iteration are shown, not judged; 'a | b': in environments that differ."
)


def comparison_tables(comparisons: Sequence[Comparison], *, width: int) -> RenderableType:
    """A table for every task, split and network, the worst rows first; what does not fit is left out and named."""
    boards: dict[Sortable, list[Comparison]] = {}
    for comparison in comparisons:
        boards.setdefault(board_key(comparison.key.run), []).append(comparison)
    parts = [part for _, rows in sorted(boards.items()) for part in _board(rows, width)]
    return Group(*parts, Text(_note(comparisons), style="dim"), Text())


def _note(comparisons: Sequence[Comparison]) -> str:
    metrics = dict.fromkeys(change.metric for comparison in comparisons for change in comparison.changes)
    return " ".join([*(f"{metric.name}: {metric.better.value}." for metric in metrics if metric.better), _NOTE])


def _board(rows: Sequence[Comparison], width: int) -> list[RenderableType]:
    table, left_out = fitting(_columns(rows[0]), partial(plain_table, rows=rows), width)
    title = f"{network_title(rows[0].key.run)}: NEW relative to OLD"
    return [titled(title, table), *(Text(note, style="dim") for note in left_out)]


def _columns(row: Comparison) -> list[Column]:
    """Columns of a board; the first metric's interval stays longer than the others'."""
    metrics = [column for k, change in enumerate(row.changes) for column in _metric_columns(k, change.metric.name)]
    return [
        Column("verdict", _verdict, numeric=False, wraps=True),
        Column(OPTIMISER.header, _optimiser, numeric=False, wraps=True),
        Column(WHERE.header, lambda c: where(c.key.run), numeric=False),
        Column("tuning", _tuning, numeric=False, wraps=True),
        Column(ITERATIONS.header, lambda c: str(c.key.run.request.iterations), leaves=4),
        Column(SEEDS.header, _seeds, leaves=2),
        *metrics,
        Column(MILLISECONDS.header, _times, leaves=3),
    ]


def _metric_columns(k: int, name: str) -> tuple[Column, Column]:
    return (
        Column(name, lambda c: _change(c.changes[k])),
        Column(f"interval of {name}" if k else "interval", lambda c: _interval(c.changes[k]), leaves=5 if k else 1),
    )


def _optimiser(row: Comparison) -> str:
    return ", ".join([row.key.run.request.optimiser, *how(row.key.run)])


def _tuning(row: Comparison) -> str:
    """The value in NEW and how it came about."""
    return row.key.rule if row.key.rule is Rule.NONE else f"{row.key.rule}: {chosen_text(row.tuning)}"


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
    before, after = (number(value, MILLISECONDS.digits or 0) for value in (row.old_ms, row.new_ms))
    return f"{before} {'→' if row.same_clock else '|'} {after}"


def row_names(keys: Iterable[Key]) -> str:
    """``adam (best, batch 32, jax), agd (torch)``: rows in words, for messages."""
    return ", ".join(dict.fromkeys(map(_name, keys)))


def _name(key: Key) -> str:
    rule = [] if key.rule is Rule.NONE else [key.rule]
    return f"{key.run.request.optimiser} ({', '.join([*rule, *how(key.run), where(key.run)])})"
