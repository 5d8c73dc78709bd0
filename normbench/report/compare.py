"""Has anything got worse? Two record directories, paired by seed, row by row."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from normbench import specs
from normbench.records.schema import Record
from normbench.report.statistics import Interval, paired_relative_interval, spread
from normbench.report.tables import number, plain_table, titled
from normbench.trajectory import Status

TOLERANCE = 0.01  # a relative difference below this is no matter, however certain

Key = tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One row of the two directories over the seeds that both hold.

    Attributes
    ----------
    key : tuple of str
        Task, data, split, network, optimiser, tuning rule, other hyperparameters, backend, device, dtype,
        iterations.
    simulated : bool
    tuning : str
        The value in NEW and how it came about.
    pairs : int
        Seeds with a finite test RMS on both sides.
    interval : Interval or None
        Mean and 95 % interval of the relative difference in test RMS; None without a pair.
    lost : int
        Shared seeds whose run had a result in OLD and has none in NEW.
    old_ms, new_ms : float
        Milliseconds per iteration: shown, not judged.
    """

    key: Key
    simulated: bool
    tuning: str
    pairs: int
    interval: Interval | None
    lost: int
    old_ms: float
    new_ms: float

    @property
    def verdict(self) -> str:
        """ "worse" or "better" where the interval excludes 0 and the mean exceeds 1 %, else "undecided".

        A run that had a result and has none any more is worse, too.
        """
        if self.lost:
            return "worse"
        if self.interval is None or abs(self.interval.mean) <= TOLERANCE:
            return "undecided"
        if self.interval.low > 0:
            return "worse"
        return "better" if self.interval.high < 0 else "undecided"


def compare(old: Iterable[Record], new: Iterable[Record]) -> tuple[list[Comparison], list[Key]]:
    """Compare everything that both hold.

    Returns
    -------
    comparisons : list of Comparison
        The worst first.
    unmatched : list of tuple of str
        Rows that only one side holds, or whose sides share no seed.
    """
    before, after = _by_row(old), _by_row(new)
    comparisons, unmatched = [], sorted(before.keys() ^ after.keys())
    for key in before.keys() & after.keys():
        shared = sorted(before[key].keys() & after[key].keys())
        if shared:
            comparisons.append(_compare(key, [before[key][s] for s in shared], [after[key][s] for s in shared]))
        else:
            unmatched.append(key)
    return sorted(comparisons, key=_badness), unmatched


def _badness(comparison: Comparison) -> tuple[int, float, Key]:
    order = ("worse", "undecided", "better").index(comparison.verdict)
    return order, -comparison.interval.mean if comparison.interval else 0.0, comparison.key


def _by_row(records: Iterable[Record]) -> dict[Key, dict[int, Record]]:
    """Records by row and seed; of several code versions the most recent counts."""
    rows: dict[Key, dict[int, Record]] = {}
    for record in sorted(records, key=lambda r: r.created):
        for rule in _rules(record):
            rows.setdefault(_key(record, rule), {})[record.seed] = record
    return rows


def _tuned_name(record: Record) -> str:
    tuned = specs.SPECS[record.optimiser].tuned if record.optimiser in specs.SPECS else None
    return "" if tuned is None else tuned.name


def _rules(record: Record) -> list[str]:
    """Which tuning rules the run stands for: the best value of OLD meets the best of NEW, whatever they are."""
    name = _tuned_name(record)
    if not name:
        return ["none"]
    default = next(h.default for h in specs.get(record.optimiser).hyperparameters if h.name == name)
    return ["default"] * (record.hyperparameters[name] == default) + ["best"] * (record.tuning_runs > 0)


def _key(record: Record, rule: str) -> Key:
    others = {k: v for k, v in record.hyperparameters.items() if k != _tuned_name(record)}
    return (
        record.task,
        record.data_sha256,
        record.split,
        "-".join(map(str, record.layers)),
        record.optimiser,
        rule,
        json.dumps(others, sort_keys=True),
        record.backend,
        record.device,
        record.dtype,
        str(record.iterations),
    )


def _has_result(record: Record) -> bool:
    return record.status not in (Status.DIVERGED, Status.FAILED) and math.isfinite(record.test_rms)


def _compare(key: Key, old: Sequence[Record], new: Sequence[Record]) -> Comparison:
    pairs = [(a.test_rms, b.test_rms) for a, b in zip(old, new, strict=True) if _has_result(a) and _has_result(b)]
    interval = paired_relative_interval([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None
    return Comparison(
        key=key,
        simulated=new[0].simulated,
        tuning=_tuning(new[0], key[5]),
        pairs=len(pairs),
        interval=interval,
        lost=sum(_has_result(a) and not _has_result(b) for a, b in zip(old, new, strict=True)),
        old_ms=1e3 * spread([r.seconds_per_iteration for r in old]).mean,
        new_ms=1e3 * spread([r.seconds_per_iteration for r in new]).mean,
    )


def _tuning(record: Record, rule: str) -> str:
    name = _tuned_name(record)
    return f"{rule}: {record.hyperparameters[name]:g}" if name else rule


def comparison_table(comparisons: Sequence[Comparison]) -> RenderableType:
    """One line per row, the worst first."""
    table = plain_table()
    for header in ("task", "optimiser", "tuning", "backend"):
        table.add_column(header)
    for header in ("iter.", "pairs", "change", "95 % interval", "old ms", "new ms"):
        table.add_column(header, justify="right")
    table.add_column("verdict")
    for c in comparisons:
        task, optimiser, backend, iterations = c.key[0], c.key[4], c.key[7], c.key[10]
        times = number(c.old_ms, 2), number(c.new_ms, 2)
        verdict = f"{c.verdict}: {c.lost} lost" if c.lost else c.verdict
        table.add_row(
            task, optimiser, c.tuning, backend, iterations, str(c.pairs), *_change(c.interval), *times, verdict
        )
    simulated = sorted({c.key[0] for c in comparisons if c.simulated})
    remark = f" (SIMULATED data: {', '.join(simulated)})" if simulated else ""
    return titled(f"Test RMS, NEW relative to OLD, paired over shared seeds; ms per iteration{remark}", table)


def _change(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "", ""
    bounds = f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f} %" if math.isfinite(interval.low) else "one seed"
    return f"{100 * interval.mean:+.2f} %", bounds
