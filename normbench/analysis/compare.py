"""Has anything got worse? Two sets of records, row by row: paired by seed where they can be, else by their spread."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from normbench.analysis.selection import (
    Sortable,
    board_key,
    current,
    grouped,
    results,
    row_key,
    search_key,
    timed_alike,
)
from normbench.analysis.statistics import Difference, holm, paired_difference, spread, unpaired_difference
from normbench.analysis.tuning import Rule, Tuning, tuning
from normbench.backends.trajectory import Status
from normbench.records.schema import Record
from normbench.records.versions import machine

LEVEL = 0.05  # of the corrected p-values: at most 5 % of all comparisons of equal things decide anything
NOTHING = 2.0**-52  # in the place of a figure of 0, such as the RMS of classes that are all right: it has no logarithm
TOLERANCE = 0.01  # a relative difference below this is no matter, however certain

Runs = Mapping[int, Record]


class Direction(Enum):
    """Which way is better."""

    LOWER = "lower is better"
    HIGHER = "higher is better"


@dataclass(frozen=True)
class Metric:
    """A figure of a run that is judged.

    Attributes
    ----------
    name : str
    value : callable
        Record -> positive float, NaN where the run has none.
    better : Direction or None
        None for a figure that has no better or worse.
    difficulty : callable
        Record -> positive float: what the seed's split alone makes of the figure, by which it is divided where runs of
        other seeds are compared.
    """

    name: str
    value: Callable[[Record], float]
    better: Direction | None
    difficulty: Callable[[Record], float] = lambda record: 1.0


@dataclass(frozen=True, order=True)
class Key:
    """What a row of OLD and a row of NEW must have in common.

    Attributes
    ----------
    asked : tuple
        Every field of the request but the seed and the values that are tuned, see
        :func:`normbench.analysis.selection.search_key`.
    rule : Rule
    data_sha256 : str
    run : Record
        A run of the row, for its names; no part of the comparison of keys.
    """

    asked: Sortable
    rule: Rule
    data_sha256: str
    run: Record = field(compare=False, repr=False)


@dataclass(frozen=True)
class Change:
    """One metric of one row, NEW relative to OLD.

    Attributes
    ----------
    metric : Metric
    difference : Difference or None
        Its p-value is corrected over everything compared; None where a side has no result.
    """

    metric: Metric
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """ "worse" or "better" where the corrected p-value is below 5 % and the change above 1 %, else "undecided"."""
        found = self.difference
        if found is None or not self.metric.better or found.p_value >= LEVEL or abs(found.mean) <= TOLERANCE:
            return "undecided"
        return "worse" if (found.mean > 0) == (self.metric.better is Direction.LOWER) else "better"


@dataclass(frozen=True)
class Comparison:
    """One row of OLD and NEW.

    Attributes
    ----------
    key : Key
    tuning : Tuning
        Of the runs of NEW.
    old_seeds, new_seeds : tuple of int
    paired : bool
        True if the seeds are mostly the same and only shared ones are compared.
    changes : tuple of Change
        One per metric.
    lost, gained : int
        Shared seeds whose run has a result on one side only.
    old_failures, new_failures : int
        Runs without a result.
    failure_p_value : float
        Fisher's exact test of their shares, corrected likewise; 1 where the seeds are paired.
    old_ms, new_ms : float
        Milliseconds per iteration: shown, not judged; of the runs of one environment on either side.
    same_clock : bool
        True if that is the same one.
    """

    key: Key
    tuning: Tuning
    old_seeds: tuple[int, ...]
    new_seeds: tuple[int, ...]
    paired: bool
    changes: tuple[Change, ...]
    lost: int
    gained: int
    old_failures: int
    new_failures: int
    failure_p_value: float
    old_ms: float
    new_ms: float
    same_clock: bool

    @property
    def verdict(self) -> str:
        """ "worse" if any metric is, or a run that had a result has none; else "better" likewise, else "undecided"."""
        verdicts = {change.verdict for change in self.changes} | {self._failing()}
        return next((v for v in ("worse", "better") if v in verdicts), "undecided")

    def _failing(self) -> str:
        if self.lost:
            return "worse"
        if self.failure_p_value < LEVEL:
            before, after = self.old_failures / len(self.old_seeds), self.new_failures / len(self.new_seeds)
            return "worse" if after > before else "better"
        return "better" if self.gained else "undecided"


def compare(
    old: Iterable[Record], new: Iterable[Record], *, metrics: Sequence[Metric]
) -> tuple[list[Comparison], list[Key], list[Key]]:
    """Compare every result that both hold; of each the newest code and data count.

    Where the sides share at least half of the seeds of the smaller one, and two unless it has one only, a row is
    compared over the shared seeds by the paired t test on log-ratios. Else its sides are compared as they are by
    Welch's test on the logarithms, each figure relative to that of the linear predictor on its split: what spread over
    seeds then remains widens the interval. All p-values together are corrected after Holm, so that many rows do not
    raise an alarm by their number. Figures that are the same to the last digit, or too few to test, are no tests and
    are not counted.

    Returns
    -------
    comparisons : list of Comparison
        The worst first.
    old_only, new_only : list of Key
        Rows that the other side does not hold.
    """
    before, after = _by_row(old), _by_row(new)
    found = [_compare(key, before[key], after[key], metrics) for key in before.keys() & after.keys()]
    ordered = sorted(_corrected(found), key=_badness)
    return ordered, sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())


def _badness(comparison: Comparison) -> tuple[int, float, Key]:
    order = ("worse", "undecided", "better").index(comparison.verdict)
    first = comparison.changes[0].difference
    return order, -first.mean if first else 0.0, comparison.key


def _by_row(records: Iterable[Record]) -> dict[Key, dict[int, Record]]:
    """Records by row and seed: the best value of OLD meets the best of NEW, whatever they are."""
    rows: dict[Key, list[Record]] = {}
    for runs in grouped(current(results(records)), lambda run: (board_key(run), row_key(run))).values():
        for rule in tuning(runs).rules:
            value = (("given", True, str(tuning(runs).value)),) if rule is Rule.GIVEN else ()
            key = Key((*search_key(runs[0]), *value), rule, runs[0].provenance.data_sha256, runs[0])
            rows[key] = max(rows.get(key, runs), runs, key=_newest)  # two values were each the best of a search
    return {key: {run.request.seed: run for run in runs} for key, runs in rows.items()}


def _newest(runs: Sequence[Record]) -> str:
    return max(run.provenance.created for run in runs)


def _has_result(record: Record) -> bool:
    return record.outcome.status not in (Status.DIVERGED, Status.FAILED) and math.isfinite(record.outcome.test_rms)


def _compare(key: Key, old: Runs, new: Runs, metrics: Sequence[Metric]) -> Comparison:
    """One row, p-values not yet corrected."""
    shared = sorted(old.keys() & new.keys())
    least = min(len(old), len(new))
    paired = len(shared) >= max(min(2, least), least / 2)
    clocks = timed_alike(old.values()), timed_alike(new.values())
    failed = [sum(not _has_result(run) for run in runs.values()) for runs in (old, new)]
    return Comparison(
        key=key,
        tuning=tuning(list(new.values())),
        old_seeds=tuple(sorted(old)),
        new_seeds=tuple(sorted(new)),
        paired=paired,
        changes=tuple(Change(metric, _difference(old, new, metric, paired=paired)) for metric in metrics),
        lost=sum(_has_result(old[s]) and not _has_result(new[s]) for s in shared),
        gained=sum(_has_result(new[s]) and not _has_result(old[s]) for s in shared),
        old_failures=failed[0],
        new_failures=failed[1],
        failure_p_value=1.0 if paired else _fisher(failed, [len(old), len(new)]),
        old_ms=1e3 * spread([run.outcome.seconds_per_iteration for run in clocks[0]]).mean,
        new_ms=1e3 * spread([run.outcome.seconds_per_iteration for run in clocks[1]]).mean,
        same_clock=len({machine(runs[0].provenance.environment, runs[0].provenance.threads) for runs in clocks}) == 1,
    )


def _difference(old: Runs, new: Runs, metric: Metric, *, paired: bool) -> Difference | None:
    before, after = _values(old, metric), _values(new, metric)
    if not paired:
        sides = [
            [v / (metric.difficulty(runs[s]) or NOTHING) for s, v in vs.items()]
            for runs, vs in ((old, before), (new, after))
        ]
        return unpaired_difference(*sides) if all(sides) else None
    seeds = sorted(before.keys() & after.keys())
    return paired_difference([before[s] for s in seeds], [after[s] for s in seeds]) if seeds else None


def _values(runs: Runs, metric: Metric) -> dict[int, float]:
    """The figure by seed, where there is one."""
    found = {seed: metric.value(run) for seed, run in runs.items() if _has_result(run)}
    return {seed: value or NOTHING for seed, value in found.items() if math.isfinite(value)}


def _fisher(failed: Sequence[int], runs: Sequence[int]) -> float:
    if not any(failed):
        return 1.0
    from scipy.stats import fisher_exact  # takes a second

    table = np.array([[k, n - k] for k, n in zip(failed, runs, strict=True)])
    return float(fisher_exact(table).pvalue)


def _corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Holm over all metrics and failures of all rows; a p-value of 1 stands for no test."""
    values = [p for comparison in comparisons for p in _p_values(comparison)]
    tested = iter(holm([p for p in values if p < 1]))
    corrected = iter([next(tested) if p < 1 else p for p in values])
    return [_with_p_values(comparison, [next(corrected) for _ in _p_values(comparison)]) for comparison in comparisons]


def _p_values(comparison: Comparison) -> list[float]:
    metrics = [c.difference.p_value if c.difference else 1.0 for c in comparison.changes]
    return [*metrics, comparison.failure_p_value]


def _with_p_values(comparison: Comparison, values: Sequence[float]) -> Comparison:
    *metrics, failures = values
    changes = tuple(
        replace(change, difference=change.difference and replace(change.difference, p_value=p))
        for change, p in zip(comparison.changes, metrics, strict=True)
    )
    return replace(comparison, changes=changes, failure_p_value=failures)
