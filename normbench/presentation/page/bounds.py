"""Accuracy against the Lipschitz bound, for its chart, and the RMS that the axes of charts span."""

import math
from typing import Any

from normbench.presentation.compact import significant
from normbench.presentation.page.ways import Section, Way
from normbench.presentation.quantities import BOUND, MEASURED

_BLOWN_UP = 1.3  # times the zero predictor's RMS; training starts a little above it


def bound_points(section: Section) -> list[dict[str, Any]]:
    """One entry per way that has both figures; ``low`` and ``high`` are one standard deviation from ``rms``."""
    return [
        way.names()
        | {
            "bound": significant(BOUND.value(way.row), 6),
            "measured": significant(MEASURED.value(way.row), 6),
            "rms": significant(way.row.test.mean, 6),
            "low": significant(_either_side(way, -1.0), 6),
            "high": significant(_either_side(way, 1.0), 6),
            "seeds": way.row.runs,
        }
        for way in section.ways
        if all(math.isfinite(v) and v > 0 for v in (BOUND.value(way.row), way.row.test.mean))
    ]


def _either_side(way: Way, side: float) -> float:
    return way.row.test.mean + side * (way.row.test.sd if math.isfinite(way.row.test.sd) else 0.0)


def levels(section: Section, part: str) -> list[dict[str, Any]]:
    """The trivial predictors' RMS, ``part`` being "train" or "test", as lines to hold the optimisers against."""
    return [
        {"predictor": row.optimiser, "rms": significant(getattr(row, part).mean, 5)} for row in section.board.predictors
    ]


def rms_range(section: Section, part: str, *, start: float = 0.0) -> tuple[float, float]:
    """From a little below the best row to a little above the worst and ``start``; what has blown up is left outside.

    An error of 0 is on no logarithmic axis. Where there is no other, the range is one around 1.
    """
    found = [v for v in (getattr(row, part).mean for row in section.board.rows) if math.isfinite(v) and v > 0]
    finite = found or [1.0]
    zero = section.board.predictor("zero")
    ceiling = _BLOWN_UP * ((getattr(zero, part).mean if zero else 0.0) or min(finite))
    return 0.96 * min(finite), 1.02 * max(min(finite), min(ceiling, max([start, *(v for v in finite if v <= ceiling)])))
