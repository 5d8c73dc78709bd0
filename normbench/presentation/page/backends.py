"""Do the backends agree? The same runs on two of them, as the records have them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from normbench.backends import names
from normbench.presentation.page.ways import Section, Way
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import setting


@dataclass(frozen=True)
class BackendPair:
    """One row of a board on two backends, over the seeds that both ran.

    Attributes
    ----------
    label : str
    backends : tuple of str
    iterations : int
    pairs : int
    curve : float
        Largest relative difference of the training loss over all iterations and seeds.
    train, test : float
        Largest relative difference of the final RMS over the seeds.
    statuses : int
        Seeds whose runs did not end alike.
    """

    label: str
    backends: tuple[str, str]
    iterations: int
    pairs: int
    curve: float
    train: float
    test: float
    statuses: int


def backend_pairs(section: Section) -> list[BackendPair]:
    """Every way that two backends ran with everything else that was asked for the same."""
    found = [
        _pair(first, second)
        for first, second in combinations(section.ways, 2)
        if elsewhere(first.runs[0]) == elsewhere(second.runs[0]) and first.row.backend != second.row.backend
    ]
    return sorted((pair for pair in found if pair.pairs), key=lambda pair: (pair.label, pair.backends))


def elsewhere(run: Record) -> tuple[object, ...]:
    """Everything that was asked for but the backend and the seed."""
    return setting(run.request, Level.BOARD, Level.ROW, without=("backend",))


def _pair(first: Way, second: Way) -> BackendPair:
    a, b = sorted((first, second), key=lambda way: names().index(way.row.backend))
    ours, theirs = ({run.request.seed: run for run in way.runs} for way in (a, b))
    both = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
    return BackendPair(
        label=a.label,
        backends=(a.backend, b.backend),
        iterations=a.runs[0].request.iterations,
        pairs=len(both),
        curve=_largest([_curve_difference(x, y) for x, y in both]),
        train=_largest([abs(y.outcome.train_rms / x.outcome.train_rms - 1) for x, y in both]),
        test=_largest([abs(y.outcome.test_rms / x.outcome.test_rms - 1) for x, y in both]),
        statuses=sum(x.outcome.status != y.outcome.status for x, y in both),
    )


def _largest(values: Sequence[float]) -> float:
    """Largest finite value; NaN where a run has no result to compare."""
    finite = [v for v in values if math.isfinite(v)]
    return max(finite) if finite else math.nan


def _curve_difference(x: Record, y: Record) -> float:
    n = min(len(x.outcome.curves.loss), len(y.outcome.curves.loss))
    a, b = np.asarray(x.outcome.curves.loss[:n]), np.asarray(y.outcome.curves.loss[:n])
    usable = np.isfinite(a) & np.isfinite(b) & (a > 0)
    return float(np.max(np.abs(b[usable] / a[usable] - 1), initial=0.0)) if n else math.nan
