"""How sure a board is of its order: paired differences to the best row, and ranks when the seeds are drawn again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from normbench.analysis.statistics import TAILS, Difference, holm, paired_difference, resampled_counts, spread

Sample = Mapping[int, float]  # the test RMS of a row by seed, where it is finite


@dataclass(frozen=True)
class RankSpan:
    """Place of a row, and how it moves when the seeds are resampled.

    Attributes
    ----------
    rank : int
        From 1, by mean test RMS over all seeds of the row; equal ones share the first of their places.
    low, high : int
        Where 95 % of the resamples put it, widened to hold ``rank``; 1 and the last place where there is nothing
        to resample.
    best_share : float
        Share of the resamples in which no row is better; NaN where there is nothing to resample.
    """

    rank: int
    low: int
    high: int
    best_share: float


def shared_seeds(samples: Sequence[Sample]) -> list[int]:
    """Seeds that all samples of two values or more have in common."""
    several = [set(sample) for sample in samples if len(sample) > 1]
    return sorted(set.intersection(*several)) if several else []


def rank_spans(samples: Sequence[Sample]) -> list[RankSpan]:
    """Spans of rows given in the order of their ranks.

    Each of 9,999 resamples draws the seeds that all rows share with replacement, once for all rows, so that what a
    hard split adds to everyone moves nobody. Rows of one seed keep out, as nothing can be drawn from them.
    """
    shared = shared_seeds(samples)
    among = [k for k, sample in enumerate(samples) if len(sample) > 1] if len(shared) > 1 else []
    means = [spread(list(sample.values())).mean for sample in samples]
    ranks = [means.index(mean) + 1 for mean in means]
    spans = [RankSpan(rank, 1, len(samples), math.nan) for rank in ranks]
    if not among:
        return spans
    values = np.array([[samples[k][seed] for seed in shared] for k in among])
    distinct, own = np.unique(values, axis=0, return_inverse=True)  # equal rows tie: a product may round them apart
    sums = (distinct @ resampled_counts(len(shared)).T)[own.reshape(-1)]
    drawn = spans_of_resamples([ranks[k] for k in among], sums)
    for k, span in zip(among, drawn, strict=True):
        spans[k] = span
    return spans


def spans_of_resamples(ranks: Sequence[int], drawn: np.ndarray) -> list[RankSpan]:
    """Spans of rows of these ranks from their figures in every resample; shape (rows, resamples), lower is better."""
    from scipy.stats import rankdata  # takes a second: one seed has no other ranks

    found = rankdata(drawn, method="min", axis=0)
    bounds = np.quantile(found, TAILS, axis=1, method="inverted_cdf").astype(int)
    return [
        RankSpan(rank, min(int(low), rank), max(int(high), rank), float(share))
        for rank, low, high, share in zip(ranks, *bounds, (found == 1).mean(axis=1), strict=True)
    ]


def differences(samples: Sequence[Sample], best: int) -> list[Difference | None]:
    """Paired difference of every sample to the best over the seeds they share; None for the best and without a pair.

    The p-values are corrected over all pairs of samples, not only those with the best: which one is the best was
    read from the same figures, and the worst of 30 equal rows lies far from the best of them by chance alone.
    """
    return differences_of_all([samples], [best])[0]


def differences_of_all(groups: Sequence[Sequence[Sample]], best: Sequence[int]) -> list[list[Difference | None]]:
    """:func:`differences` of each group to its own best, corrected over the pairs of all groups."""
    pairs = [(g, *pair) for g, samples in enumerate(groups) for pair in combinations(range(len(samples)), 2)]
    found = {(g, a, b): _difference(groups[g][a], groups[g][b]) for g, a, b in pairs}
    tested = [(pair, d.p_value) for pair, d in found.items() if d is not None and d.pairs > 1]
    corrected = dict(zip((pair for pair, _ in tested), holm([p for _, p in tested]), strict=True))
    return [
        [_to_best(samples, first, k, corrected.get((g, min(first, k), max(first, k)))) for k in range(len(samples))]
        for g, (samples, first) in enumerate(zip(groups, best, strict=True))
    ]


def _to_best(samples: Sequence[Sample], best: int, k: int, corrected: float | None) -> Difference | None:
    found = None if k == best else _difference(samples[best], samples[k])
    return replace(found, p_value=corrected) if found and corrected is not None else found


def _difference(base: Sample, other: Sample) -> Difference | None:
    shared = sorted(seed for seed in base.keys() & other.keys() if min(base[seed], other[seed]) > 0)
    return paired_difference([base[s] for s in shared], [other[s] for s in shared]) if shared else None
