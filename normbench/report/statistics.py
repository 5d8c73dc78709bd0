"""Means, standard deviations and paired intervals over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from normbench.errors import InvalidArgumentError


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (ddof = 1) of ``count`` finite values; NaN where undefined."""

    mean: float
    sd: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of the finite values: one value has no sd, none has no mean."""
    finite = [v for v in values if math.isfinite(v)]
    mean = float(np.mean(finite)) if finite else math.nan
    sd = float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan
    return Spread(mean, sd, len(finite))


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided confidence interval."""

    mean: float
    low: float
    high: float


def paired_relative_interval(old: Sequence[float], new: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Interval of the mean of (new - old) / old over pairs, from Student's t with n - 1 degrees of freedom.

    One pair has no interval: its bounds are -inf and inf. Where all pairs differ by the same ratio, the interval
    is that point.

    Raises
    ------
    InvalidArgumentError
        If there is no pair, or the lengths differ.
    """
    if len(old) != len(new) or not old:
        raise InvalidArgumentError(f"a paired comparison needs equally many values; got {len(old)} and {len(new)}.")
    ratio = np.asarray(new) / np.asarray(old) - 1.0
    mean = float(ratio.mean())
    if len(ratio) == 1:
        return Interval(mean, -math.inf, math.inf)
    half = float(student.ppf(0.5 + confidence / 2, len(ratio) - 1) * ratio.std(ddof=1) / np.sqrt(len(ratio)))
    return Interval(mean, mean - half, mean + half)
