"""Figures over seeds: means, bootstrap intervals, paired and unpaired tests of ratios, and Holm's correction."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from normbench.errors import InvalidArgumentError

CONFIDENCE = 0.95
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)  # quantiles of resamples
RESAMPLES = 9999
_SEED = 0  # of every resampling: the same records give the same board
_BATCH = 500  # resamples at a time: fits the cache, ten times faster than all at once
_LEAST_FOR_BCA = 8  # n! / n^n of the resamples repeat the sample: 22 % at 3 values, 0.2 % at 8
_ROUNDING = 1e-12  # a spread of log-ratios below this is that of rounding


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
    """A mean with its two-sided confidence interval; NaN where there is none."""

    mean: float
    low: float
    high: float


def bootstrap_intervals(samples: Sequence[Sequence[float]]) -> list[Interval]:
    """95 % bootstrap interval of the mean of each sample's finite values.

    BCa, and the percentile interval where BCa is degenerate: below 8 values, so many resamples repeat the sample that
    rounding alone decides on which side of the mean they count. 9,999 resamples from one fixed seed. Equal values give
    a point, one value gives no bounds.

    With few values every bootstrap interval is too narrow: of normal figures it holds the true mean in 50 % of all
    cases at 2 values, 75 % at 3, 85 % at 5, 90 % at 10 and 94 % at 40.
    """
    finite = [[v for v in sample if math.isfinite(v)] for sample in samples]
    found = [_trivial(values) for values in finite]
    spreading = [k for k, values in enumerate(finite) if len(set(values)) > 1]
    for count in {len(finite[k]) for k in spreading}:
        alike = [k for k in spreading if len(finite[k]) == count]
        for k, interval in zip(alike, _bootstrap(np.array([finite[k] for k in alike])), strict=True):
            found[k] = interval
    return found


def _trivial(values: Sequence[float]) -> Interval:
    mean = spread(values).mean
    bound = mean if len(values) > 1 else math.nan
    return Interval(mean, bound, bound)


def _bootstrap(values: np.ndarray) -> list[Interval]:
    """One interval per row of ``values``, shape (samples, count)."""
    from scipy.stats import DegenerateDataWarning, bootstrap  # takes a second: one seed has no interval

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            (values,),
            np.mean,
            axis=1,
            n_resamples=RESAMPLES,
            batch=_BATCH,
            vectorized=True,
            confidence_level=CONFIDENCE,
            method="BCa" if values.shape[1] >= _LEAST_FOR_BCA else "percentile",
            rng=np.random.default_rng(_SEED),
        )
    percentile = np.quantile(result.bootstrap_distribution, TAILS, axis=1)
    bounds = np.array([result.confidence_interval.low, result.confidence_interval.high])
    bounds = np.where(np.isfinite(bounds).all(axis=0), bounds, percentile)
    means = values.mean(axis=1)
    return [Interval(float(m), float(low), float(high)) for m, low, high in zip(means, *bounds, strict=True)]


def resampled_counts(size: int, *, stream: int = 0) -> np.ndarray:
    """How often each of ``size`` things is drawn in each of 9,999 resamples; shape (RESAMPLES, size), int.

    Draws of different streams are independent.
    """
    return np.random.default_rng(_SEED + stream).multinomial(size, np.full(size, 1 / size), size=RESAMPLES)


@dataclass(frozen=True)
class Difference:
    """By how much one set of figures differs from another, relative to it: -0.02 is 2 % lower.

    Attributes
    ----------
    mean : float
        exp(mean of the log-ratios) - 1, the geometric mean ratio minus one.
    low, high : float
        95 % interval of it, for this comparison alone.
    pairs : int
        Shared seeds that were compared; 0 where the comparison is unpaired.
    p_value : float
        Two-sided, of equal geometric means; 1 where there is too little to tell.
    """

    mean: float
    low: float
    high: float
    pairs: int
    p_value: float


def paired_difference(base: Sequence[float], other: Sequence[float]) -> Difference:
    """Paired t test on the log-ratios log(other / base).

    On ratios, because seeds differ in scale and a change acts on all alike. Student's t and not Wilcoxon's signed
    ranks, because those cannot reach p < 0.05 with 5 pairs or fewer, whatever the figures (2 / 2^5 = 0.06), nor
    p < 0.05 / 400, as a corrected board asks, with fewer than 14; t can with 3, where the ratios agree.
    One pair decides nothing: its interval is (-1, inf). Where all ratios are equal, the interval is that point.

    Raises
    ------
    InvalidArgumentError
        If there is no pair, the lengths differ, or a value is not positive.
    """
    if len(base) != len(other) or not len(base):
        raise InvalidArgumentError(f"a paired comparison needs equally many values; got {len(base)} and {len(other)}.")
    ratios = _logarithms(other) - _logarithms(base)
    count = len(ratios)
    error = ratios.std(ddof=1) / math.sqrt(count) if count > 1 else math.inf
    return _difference(float(ratios.mean()), float(error), max(count - 1, 1), pairs=count)


def unpaired_difference(base: Sequence[float], other: Sequence[float]) -> Difference:
    """Welch's t test on the logarithms: for runs on different seeds, whose own spread then counts as uncertainty.

    One value on either side decides nothing.

    Raises
    ------
    InvalidArgumentError
        If a side is empty, or a value is not positive.
    """
    if not len(base) or not len(other):
        raise InvalidArgumentError(f"a comparison needs values on both sides; got {len(base)} and {len(other)}.")
    before, after = _logarithms(base), _logarithms(other)
    mean = float(after.mean() - before.mean())
    if min(len(before), len(after)) < 2:
        return _difference(mean, math.inf, 1, pairs=0)
    a, b = before.var(ddof=1) / len(before), after.var(ddof=1) / len(after)
    # Welch-Satterthwaite; any number of degrees will do where nothing spreads
    freedom = (a + b) ** 2 / (a**2 / (len(before) - 1) + b**2 / (len(after) - 1)) if a + b else 1
    return _difference(mean, math.sqrt(a + b), float(freedom), pairs=0)


def _logarithms(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if not (np.isfinite(array) & (array > 0)).all():
        raise InvalidArgumentError(f"ratios need positive finite values; got {array.tolist()}.")
    return np.log(array)


def _difference(mean: float, error: float, freedom: float, *, pairs: int) -> Difference:
    """Student's test and interval of a mean log-ratio with its standard error."""
    if error == math.inf:
        return Difference(math.expm1(mean), -1.0, math.inf, pairs, 1.0)
    if error <= _ROUNDING:
        p_value = 1.0 if abs(mean) <= _ROUNDING else 0.0
        return Difference(math.expm1(mean), math.expm1(mean), math.expm1(mean), pairs, p_value)
    half = error * float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
    p_value = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Difference(math.expm1(mean), math.expm1(mean - half), _expm1(mean + half), pairs, p_value)


def _expm1(value: float) -> float:
    """exp(value) - 1, infinite where it overflows: two pairs that disagree have bounds of any size."""
    with np.errstate(over="ignore"):
        return float(np.expm1(value))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: at most 5 % of all boards show any difference below 0.05 that is not there.

    p_(i) -> max over j <= i of min(1, (m - j + 1) p_(j)), for p_(1) <= ... <= p_(m).
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return corrected.tolist()
