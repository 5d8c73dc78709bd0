"""How the figures of a row are written: as a cell, and as fields of CSV and JSON where one is not all."""

import math
from dataclasses import fields
from typing import Any

from normbench.analysis.lines import Cell
from normbench.analysis.ranking import RankSpan
from normbench.analysis.rows import Row
from normbench.analysis.statistics import Difference, Spread
from normbench.presentation.labels import tuning_label
from normbench.presentation.tables import number, percent, stars


def spread_fields(name: str, figure: Spread) -> dict[str, float]:
    """Mean and standard deviation."""
    return {f"{name}_mean": figure.mean, f"{name}_sd": figure.sd}


def tuning(row: Row) -> str:
    """``best of 5: 0.01 †``: with the mark where the best value ends its grid."""
    return tuning_label(row) + (" †" if row.tuning and row.tuning.on_edge else "")


def tuning_fields(row: Row) -> dict[str, Any]:
    """What is tuned in words, and what that cost."""
    cost, on_edge = (row.tuning.cost, row.tuning.on_edge) if row.tuning else (0, False)
    return {"tuning": tuning_label(row), "tuning_runs": cost, "tuning_on_edge": on_edge}


def interval(row: Row) -> str:
    """``0.831-0.836``, or "" where there are no bounds."""
    low, high = row.interval.low, row.interval.high
    return f"{number(low)}-{number(high)}" if math.isfinite(low) else ""


def accuracy(row: Row) -> str:
    """``97.2 ± 0.5`` per cent, or ""."""
    shares = (100 * row.accuracy.mean, 100 * row.accuracy.sd) if row.accuracy else ()
    return " ± ".join(f"{share:.1f}" for share in shares if math.isfinite(share))


def _leads(row: Row) -> bool:
    return row.rank is not None and row.rank.rank == 1


def difference(row: Row) -> float | None:
    """To the best row, which differs by nothing from itself."""
    return row.difference.mean if row.difference else 0.0 if _leads(row) else None


def versus_best(row: Row) -> str:
    """``+1.2 % **``, ``+1.2 % (1 seed)`` where nothing can be tested, or ""."""
    found = row.difference
    if found is None:
        return ""
    return f"{percent(found.mean)} {stars(found.p_value) if found.pairs > 1 else '(1 seed)'}".rstrip()


def certainty(row: Row) -> str:
    """``+0.5 % to +1.9 %, p = 0.012``, "best", or "" where nothing can be tested."""
    found = row.difference
    if found is None or found.pairs < 2:
        return "best" if _leads(row) else ""
    p_value = "< 0.001" if found.p_value < 0.001 else f"= {found.p_value:.2g}"
    return f"{percent(found.low)} to {percent(found.high) or '∞'}, p {p_value}"


def difference_fields(row: Row | Cell) -> dict[str, Any]:
    """Everything about the difference to the best row; None for the best, and where there is none."""
    return {f"vs_best_{f.name}": row.difference and getattr(row.difference, f.name) for f in fields(Difference)}


def rank(row: Row) -> str:
    """``2 (1-4)``, the rank alone where nothing could be resampled, "–" where a run gave no result."""
    if row.rank is None:
        return "–" if row.records else ""
    return rank_span(row.rank)


def rank_span(span: RankSpan) -> str:
    """``2 (1-4)``, the rank alone where nothing could be resampled."""
    return f"{span.rank} ({span.low}-{span.high})" if math.isfinite(span.best_share) else str(span.rank)


def rank_fields(row: Row | Cell) -> dict[str, Any]:
    """The place, its span and how often the row leads; None where it has no place."""
    names = {"rank": "rank", "low": "rank_low", "high": "rank_high", "best_share": "best_share"}
    return {names[f.name]: row.rank and getattr(row.rank, f.name) for f in fields(RankSpan)}


def evaluations(row: Row) -> dict[str, float]:
    """Passes over the training set, means over runs."""
    return {
        "loss_evaluations": row.mean(lambda run: run.outcome.loss_evaluations),
        "gradient_evaluations": row.mean(lambda run: run.outcome.gradient_evaluations),
    }


def passes(row: Row) -> str:
    """``412 + 200``, or ""."""
    counts = evaluations(row).values()
    return " + ".join(f"{count:.0f}" for count in counts if math.isfinite(count))


def failures(row: Row) -> str:
    """``1 stalled, 2 diverged``, "none", or "" for rows that were not run here."""
    if not row.records:
        return ""
    return ", ".join(f"{count} {status}" for status, count in row.failures.items() if count) or "none"
