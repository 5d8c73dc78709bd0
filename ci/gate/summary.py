"""The gate's result as Markdown, short enough for a comment on a pull request."""

from collections import Counter
from collections.abc import Sequence

from ci.gate.confirm import Judged
from ci.gate.verdict import CONFIDENCE, MARGIN, Comparison

_ORDER = ("broken", "worse", "slower", "undecided", "better", "faster", "repaired", "unchanged")


def summary(judged: Sequence[Judged], base: str, head: str, *, rounds: int) -> str:
    """Verdict, a table of what changed or is undecided, and the rest folded away."""
    confirmed = [j for j in judged if j.confirmed]
    headline = (
        f"**{len(confirmed)} of {len(judged)} benchmarks got worse**, confirmed by a second measurement."
        if confirmed
        else f"**Nothing got worse** in {len(judged)} benchmarks."
    )
    ranked = sorted(judged, key=lambda j: (not j.confirmed, _ORDER.index(j.comparison.verdict), j.comparison.benchmark))
    notable = [j for j in ranked if j.confirmed or j.note or j.comparison.verdict not in ("unchanged", "undecided")]
    rest = [j for j in ranked if j not in notable]
    counts: Counter[str] = Counter(j.comparison.verdict for j in judged)
    lines = [f"## Performance: `{base[:8]}` → `{head[:8]}`", "", headline, ""]
    lines += ["Verdicts: " + ", ".join(f"{counts[v]} {v}" for v in _ORDER if counts[v]) + ".", ""]
    if notable:
        lines += [*_table(notable), ""]
    if rest:
        lines += ["<details><summary>The others</summary>", "", *_table(rest), "", "</details>", ""]
    lines.append(
        f"Times: {rounds} rounds in turns, ratio of medians with its {CONFIDENCE:.0%} interval; slower means that "
        f"all of the interval lies above {1 + MARGIN:g}. Other numbers: the thresholds of `asv.conf.json`."
    )
    return "\n".join(lines) + "\n"


def _table(judged: Sequence[Judged]) -> list[str]:
    rows = [_row(j) for j in judged]
    return ["| benchmark | base | head | ratio | verdict | |", "| --- | ---: | ---: | ---: | --- | --- |", *rows]


def _row(judged: Judged) -> str:
    comparison = judged.comparison
    verdict = f"**{comparison.verdict}**" if judged.confirmed else comparison.verdict
    cells = [
        f"`{comparison.benchmark}`",
        _value(comparison.base, comparison.unit),
        _value(comparison.head, comparison.unit),
        _ratio(comparison),
        verdict,
        judged.note,
    ]
    return f"| {' | '.join(cells)} |"


def _value(value: float, unit: str) -> str:
    if value != value:
        return "failed"
    if unit in ("s", "seconds"):
        return f"{value * 1e3:.4g} ms"
    return f"{value / 2**20:.1f} MiB" if unit == "bytes" else f"{value:.6g} {unit}"


def _ratio(comparison: Comparison) -> str:
    if comparison.ratio != comparison.ratio:
        return "–"
    if comparison.low == comparison.high:
        return f"{comparison.ratio:.3f}"
    return f"{comparison.ratio:.3f} ({comparison.low:.3f} to {comparison.high:.3f})"
