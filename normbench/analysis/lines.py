"""Ways of training over bounds: the figures that each has, before they are compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from normbench.analysis.budget import Lost, rms_within
from normbench.analysis.ranking import RankSpan, Sample
from normbench.analysis.rows import NO_INTERVAL, mean
from normbench.analysis.statistics import Difference, Interval, bootstrap_intervals
from normbench.analysis.tuning import Tuning, tuning
from normbench.analysis.ways import Kind, Way
from normbench.records.schema import Record

Values = Mapping[int, float | Lost]


@dataclass(frozen=True)
class Cell:
    """A way at one bound.

    Attributes
    ----------
    lipschitz : float or None
        The bound that was asked for, or at which a sweep is read; None where an output scale was, or nothing. It is
        smaller than that of the column where a smaller one was chosen, see :mod:`normbench.analysis.chosen_bounds`.
    values : mapping of int to float
        Test RMS at the budget, by seed.
    lost : mapping of int to Lost
        Seeds of the frontier without a value, each with the reason.
    runs : tuple of Record
        Those with a value; none where a sweep is read between its runs.
    tuning : Tuning or None
    output_scale : float or None
    interval : Interval
        Mean over seeds, and its 95 % bootstrap interval.
    difference : Difference or None
        Paired, to the best at the bound; p-value corrected over all pairs at all bounds of the frontier.
    rank : RankSpan or None
        Of those at the bound from which no seed is missing.
    """

    lipschitz: float | None
    values: Sample
    lost: Mapping[int, Lost]
    runs: tuple[Record, ...] = ()
    tuning: Tuning | None = None
    output_scale: float | None = None
    interval: Interval = NO_INTERVAL
    difference: Difference | None = None
    rank: RankSpan | None = None

    @property
    def whole(self) -> bool:
        """True if no seed is missing."""
        return bool(self.values) and not self.lost

    @property
    def certificate(self) -> float:
        """Mean over the runs of what was proven."""
        return mean(self.runs, lambda run: run.outcome.lipschitz_certificate)


@dataclass(frozen=True)
class Line:
    """A way of training over the bounds of a frontier.

    Attributes
    ----------
    way : Way
    points : tuple of Cell
        What was run, one a bound that was asked for.
    cells : tuple of Cell
        One a bound of the frontier: of a sweep read between its points; none for a ceiling.
    """

    way: Way
    points: tuple[Cell, ...]
    cells: tuple[Cell, ...]

    @property
    def tunings(self) -> list[Tuning]:
        """At the bounds that were run."""
        return [point.tuning for point in self.points if point.tuning is not None]


def points_of(way: Way, budget: float, seeds: Sequence[int]) -> tuple[Cell, ...]:
    """What was run, by bound, with the interval of each mean."""
    return _with_intervals([_point(runs, budget, seeds) for runs in way.runs.values()])


def _with_intervals(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    intervals = bootstrap_intervals([list(cell.values.values()) for cell in cells])
    return tuple(replace(cell, interval=interval) for cell, interval in zip(cells, intervals, strict=True))


def _point(runs: Sequence[Record], budget: float, seeds: Sequence[int]) -> Cell:
    asked = runs[0].request
    by_seed = {run.request.seed: run for run in runs if run.request.seed in seeds}
    found = {seed: rms_within(by_seed[seed], budget) if seed in by_seed else Lost.NOT_RUN for seed in seeds}
    cell = replace(_cell(asked.lipschitz, found), output_scale=asked.output_scale, tuning=tuning(runs))
    return replace(cell, runs=tuple(by_seed[seed] for seed in cell.values))


def _cell(bound: float | None, found: Values) -> Cell:
    lost = {seed: value for seed, value in found.items() if isinstance(value, Lost)}
    return Cell(bound, {seed: value for seed, value in found.items() if not isinstance(value, Lost)}, lost)


def cells_of(line: Line, bounds: Sequence[float], seeds: Sequence[int]) -> tuple[Cell, ...]:
    """One a bound: what was run there, or what a sweep is read at."""
    if line.way.kind is Kind.SWEEP:
        read = ({seed: interpolated(line.points, seed, bound) for seed in seeds} for bound in bounds)
        return _with_intervals([_cell(bound, found) for bound, found in zip(bounds, read, strict=True)])
    run = {point.lipschitz: point for point in line.points}
    return tuple(run[bound] if bound in run else not_run(bound, seeds) for bound in bounds)


def not_run(bound: float, seeds: Sequence[int]) -> Cell:
    """A way at a bound where it has no runs."""
    return _cell(bound, dict.fromkeys(seeds, Lost.NOT_RUN))


def interpolated(points: Sequence[Cell], seed: int, bound: float) -> float | Lost:
    """Test RMS of a sweep at a certified bound: linear in log certificate between the runs on either side.

    The runs are joined in the order of what was asked for, which sets the scale of the outputs; where what was proven
    passes the bound several times, the largest scale counts. Nothing is said beyond what was measured, nor across a
    scale at which the seed has no figure, or a certificate of 0.
    """
    at = math.log(bound)
    for first, second in reversed(list(pairwise(_measured(point, seed) for point in points))):
        if first is None or second is None:
            continue
        (a, before), (b, after) = first, second
        if min(a, b) <= at <= max(a, b):
            return after if a == b else before + (after - before) * (at - a) / (b - a)
    return Lost.OUTSIDE


def _measured(point: Cell, seed: int) -> tuple[float, float] | None:
    """Log certificate and test RMS of a seed, if it has them."""
    run = next((run for run in point.runs if run.request.seed == seed), None)
    if run is None or run.outcome.lipschitz_certificate == 0.0:
        return None
    return math.log(run.outcome.lipschitz_certificate), point.values[seed]
