"""One answer from the frontiers of several tasks: by how much a way is worse than the best, over all bounds and tasks.

A frontier is read as a performance profile: at each bound the logarithm of the RMS over that of the best, its integral
over log L divided by the length of the interval, and the mean over the tasks.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from normbench.analysis.ranking import RankSpan, Sample, spans_of_resamples
from normbench.analysis.statistics import TAILS, Interval, resampled_counts

_TASKS = 1000  # the stream of draws of tasks; those of seeds are counted from 0


@dataclass(frozen=True)
class Problem:
    """A frontier: test RMS by seed of every way at every bound.

    Attributes
    ----------
    bounds : tuple of float
        Ascending.
    samples : mapping
        Of each way one sample a bound.
    """

    bounds: tuple[float, ...]
    samples: Mapping[Hashable, Sequence[Sample]]


@dataclass(frozen=True)
class Place:
    """Where a way comes out.

    Attributes
    ----------
    excess : Interval
        exp(integral) - 1: 0.02 is 2 % worse than the best, which need not be the same way at every bound. With the
        interval that holds 95 % of the resamples.
    rank : RankSpan
    """

    excess: Interval
    rank: RankSpan


def answer(problems: Sequence[Problem]) -> dict[Hashable, Place]:
    """Places of the ways that all problems have, the best first; none where they share no seed at all bounds.

    Seeds are drawn again within each task, one draw for all ways and bounds, and with several tasks the tasks, too;
    what is best at a bound is found anew in every resample.
    """
    ways = _common(problems)
    logs = [_logarithms(problem, ways) for problem in problems]
    if not ways or not all(table.size for table in logs):
        return {}
    weights = [_weights(problem.bounds) for problem in problems]
    scores = np.mean([_scores(table, w, None) for table, w in zip(logs, weights, strict=True)], axis=0)[:, 0]
    drawn = np.array(
        [
            _scores(table, w, resampled_counts(table.shape[2], stream=k))
            for k, (table, w) in enumerate(zip(logs, weights, strict=True))
        ]
    )
    resampled = np.einsum("twr,rt->wr", drawn, resampled_counts(len(problems), stream=_TASKS)) / len(problems)
    several = any(table.shape[2] > 1 for table in logs) or len(problems) > 1
    return _places(ways, scores, resampled, several=several)


def _common(problems: Sequence[Problem]) -> list[Hashable]:
    """The ways that all problems have, in the order of the first."""
    return [way for way in problems[0].samples if all(way in p.samples for p in problems)] if problems else []


def _logarithms(problem: Problem, ways: Sequence[Hashable]) -> np.ndarray:
    """log RMS over the seeds that all ways have at all bounds; shape (ways, bounds, seeds)."""
    samples = [sample for way in ways for sample in problem.samples[way]]
    seeds = sorted(set.intersection(*map(set, samples))) if samples else []
    table = [[[sample[seed] for seed in seeds] for sample in problem.samples[way]] for way in ways]
    return np.log(np.array(table))


def _weights(bounds: Sequence[float]) -> np.ndarray:
    """Trapezoids over log L, of sum 1."""
    if len(bounds) == 1:
        return np.ones(1)
    gaps = np.diff(np.log(bounds))
    halves = np.concatenate([[0.0], gaps]) + np.concatenate([gaps, [0.0]])
    return np.asarray(halves / halves.sum())


def _scores(table: np.ndarray, weights: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Integral of log(RMS / best RMS) of geometric means over seeds; shape (ways, resamples)."""
    size = table.shape[2]
    draws = np.ones((1, size)) if counts is None else counts
    means = table @ draws.T / size
    return np.asarray(np.einsum("wbr,b->wr", means - means.min(axis=0), weights))


def _places(ways: Sequence[Hashable], scores: np.ndarray, drawn: np.ndarray, *, several: bool) -> dict[Hashable, Place]:
    order = np.argsort(scores, kind="stable")
    means, ranks = np.expm1(scores[order]), range(1, len(ways) + 1)
    if several:
        low, high = np.expm1(np.quantile(drawn[order], TAILS, axis=1))
        spans = spans_of_resamples(ranks, drawn[order])
    else:
        low = high = np.full(len(ways), math.nan)
        spans = [RankSpan(rank, 1, len(ways), math.nan) for rank in ranks]
    intervals = [Interval(*map(float, figures)) for figures in zip(means, low, high, strict=True)]
    return {ways[k]: Place(interval, span) for k, interval, span in zip(order, intervals, spans, strict=True)}
