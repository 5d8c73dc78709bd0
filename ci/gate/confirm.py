"""What becomes of an alarm: it is measured again, and what can be counted is counted."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ci.gate.measure import Bench, Measured, pattern_of
from ci.gate.verdict import MARGIN, Comparison, compare_times, compare_values

# an iteration of ...: what counts its work (benchmarks/instructions.py)
COUNTED = {"torch": "instructions.Torch.track_instructions('{}')", "jax": "instructions.Jax.track_operations('{}')"}
COUNTED_OPTIMISERS = ("method1", "method2")


@dataclass(frozen=True)
class Judged:
    """A comparison after confirmation.

    Attributes
    ----------
    comparison : Comparison
        Of the last measurement.
    confirmed : bool
        Whether it is a slow-down or a loss of quality that must not pass.
    note : str
        What the second measurement and the count said; empty where there was no alarm.
    """

    comparison: Comparison
    confirmed: bool = False
    note: str = ""


def compare(bench: Bench, base: str, head: str, names: Iterable[str] | None = None) -> dict[str, Comparison]:
    """Compare everything that both commits have results of, or the benchmarks named.

    A benchmark that ``base`` does not have is new and not compared.
    """
    before, after, units = bench.results(base), bench.results(head), bench.units()
    chosen = before.keys() & after.keys()
    return {
        name: _compare_one(name, units[name.split("(")[0]], before[name], after[name], bench.threshold(name))
        for name in sorted(chosen if names is None else chosen & set(names))
    }


def _compare_one(name: str, unit: str, before: Measured, after: Measured, threshold: float) -> Comparison:
    if before.rounds and after.rounds:
        return compare_times(name, before.rounds, after.rounds)
    return compare_values(name, unit, before.value, after.value, threshold=threshold)


def judge(bench: Bench, base: str, head: str, first: Mapping[str, Comparison], *, rounds: int) -> list[Judged]:
    """Measure every alarm again; confirm those that stand."""
    alarms = {name: comparison for name, comparison in first.items() if comparison.alarming}
    if not alarms:
        return [Judged(comparison) for comparison in first.values()]
    _measure_again(bench, (base, head), alarms, rounds)
    second = compare(bench, base, head, alarms)
    standing = [name for name in alarms if second[name].alarming]
    counts = _count(bench, base, head, [name for name in standing if second[name].verdict == "slower"])
    return [
        _conclude(first[name], second[name], counts.get(name)) if name in alarms else Judged(first[name])
        for name in first
    ]


def _measure_again(bench: Bench, commits: tuple[str, str], alarms: Mapping[str, Comparison], rounds: int) -> None:
    timed = [name for name, comparison in alarms.items() if comparison.verdict == "slower"]
    tracked = alarms.keys() - set(timed)
    if timed:
        bench.run_rounds(commits, pattern_of(timed), rounds)
    if tracked:
        bench.run(commits, pattern_of(tracked))


def _count(bench: Bench, base: str, head: str, slower: Iterable[str]) -> dict[str, float]:
    """Ratio of counted work, head / base, for the benchmarks where there is a count."""
    counted = {name: count for name in slower if (count := count_of(name))}
    if not counted:
        return {}
    os.environ["NORMBENCH_CALLGRIND"] = "1"
    bench.run((base, head), pattern_of(counted.values()))
    before, after = bench.results(base), bench.results(head)
    return {
        name: after[count].value / before[count].value
        for name, count in counted.items()
        if count in before and count in after
    }


def count_of(benchmark: str) -> str | None:
    """The benchmark that counts the work of a timed one; None where there is none."""
    found = re.fullmatch(r"iteration\.PaperNetwork\.time_iteration\('(\w+)', '(\w+)', 'cpu'\)", benchmark)
    if not found or found[1] not in COUNTED_OPTIMISERS:
        return None
    return COUNTED[found[2]].format(found[1])


def _conclude(first: Comparison, second: Comparison, counted: float | None) -> Judged:
    """An alarm stands if the second measurement raises it too and the count, where there is one, agrees.

    A count that does not rise speaks against a slow-down but cannot exclude one (caches, locks, waiting): then both
    measurements must exceed twice the margin.
    """
    if not second.alarming:
        return Judged(replace(second, verdict="undecided"), note="not seen again in a second measurement")
    if counted is None:
        return Judged(second, confirmed=True, note="seen again")
    work = f"work counted x{counted:.3f}"
    if counted > 1 + MARGIN or min(first.low, second.low) > 1 + 2 * MARGIN:
        return Judged(second, confirmed=True, note=f"seen again; {work}")
    return Judged(replace(second, verdict="undecided"), note=f"seen again, but {work}")
