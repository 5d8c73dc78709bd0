"""The frontier: the test error that each way of training reaches at each certified bound, after equal evaluations."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from normbench.analysis.answer import Place, Problem, answer
from normbench.analysis.budget import Lost, rms_within
from normbench.analysis.ranking import RankSpan, Sample, differences_of_all, rank_spans
from normbench.analysis.rows import NO_INTERVAL, PredictorRow, mean, predictor_rows
from normbench.analysis.runs import planned_evaluations
from normbench.analysis.selection import Sortable, current, grouped, known, results, sortable, trials
from normbench.analysis.statistics import Difference, Interval, bootstrap_intervals
from normbench.analysis.tuning import Tuning, tuning
from normbench.analysis.ways import Kind, Way, common_seeds, kind, ways
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import SPLITS

Values = Mapping[int, float | Lost]


@dataclass(frozen=True)
class Cell:
    """A way at one bound.

    Attributes
    ----------
    lipschitz : float or None
        The bound that was asked for, or at which a sweep is read; None where there is none.
    values : mapping of int to float
        Test RMS at the budget, by seed.
    lost : mapping of int to Lost
        Seeds of the frontier without a value, each with the reason.
    runs : tuple of Record
        Those with a value; none where a sweep is read between its runs.
    tuning : Tuning or None
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


@dataclass(frozen=True)
class Frontier:
    """Ways of training over bounds, on one task, split, network and data, after so many evaluations.

    Attributes
    ----------
    runs : tuple of Record
        Everything that was run on it, whatever its length.
    trials : tuple of Record
        Runs on the same data that searches judged on a validation part.
    outdated : int
        Records of earlier code or data that are left out.
    budget : float
        Evaluations, see :func:`normbench.analysis.runs.evaluations_curve`.
    bounds : tuple of float
        Ascending.
    lines : tuple of Line
        The best first, then those without a value at some bound.
    ceilings : tuple of Line
        Ways without a bound.
    predictors : tuple of PredictorRow
    seeds, other_seeds : tuple of int
        Those that are judged, and those that only few have.
    places : mapping
        By key of the way: where it comes out over all bounds, of the ways that have all.
    """

    runs: tuple[Record, ...]
    trials: tuple[Record, ...]
    outdated: int
    budget: float
    bounds: tuple[float, ...]
    lines: tuple[Line, ...]
    ceilings: tuple[Line, ...]
    predictors: tuple[PredictorRow, ...]
    seeds: tuple[int, ...]
    other_seeds: tuple[int, ...]
    places: Mapping[Hashable, Place] = field(default_factory=dict)

    @property
    def first(self) -> Record:
        """A run of it, for its names."""
        return self.runs[0]

    @property
    def common_bounds(self) -> tuple[float, ...]:
        """The bounds over which ways are compared: those that half of the ways which reach theirs have."""
        reaching = [line for line in self.lines if line.way.kind is Kind.BOUND and any(c.whole for c in line.cells)]
        counts = [sum(line.cells[k].whole for line in reaching) for k in range(len(self.bounds))]
        return tuple(bound for bound, n in zip(self.bounds, counts, strict=True) if n and 2 * n >= len(reaching))

    @property
    def problem(self) -> Problem:
        """The ways that have a value of every seed at all :attr:`common_bounds`."""
        common = self.common_bounds
        chosen = [k for k, bound in enumerate(self.bounds) if bound in common]
        compared = [line for line in self.lines if chosen and all(line.cells[k].whole for k in chosen)]
        return Problem(common, {line.way.key: [line.cells[k].values for k in chosen] for line in compared})


def frontiers(records: Iterable[Record]) -> list[Frontier]:
    """One frontier per task, split, network and budget where runs have several bounds, that with most of them first.

    Parameters
    ----------
    records : iterable of Record
        Of a row the newest code counts and of a task the newest data, as on boards; runs that were judged on a
        validation part do not.
    """
    every = known(records)
    found, tried = [], grouped(trials(every), _network)
    for key, group in grouped(results(every), _network).items():
        runs = current(group)
        latest = max(runs, key=lambda run: run.provenance.created).provenance.data_sha256
        shown = [run for run in runs if run.provenance.data_sha256 == latest]
        searched = [run for run in tried.get(key, []) if run.provenance.data_sha256 == latest]
        made = (_frontier(shown, searched, budget, outdated=len(group) - len(shown)) for budget in _budgets(shown))
        found += [frontier for frontier in made if len(frontier.bounds) > 1]
    return sorted(found, key=_extent)


def _network(record: Record) -> Sortable:
    """All that separates boards but the bound."""
    return sortable(record, Level.BOARD, without=("lipschitz",))


def _extent(frontier: Frontier) -> tuple[int, bool, float]:
    """Most ways and bounds first; then the usual split and the smallest budget."""
    unusual = frontier.first.request.split != SPLITS[0]
    return -len(frontier.lines) * len(frontier.bounds), unusual, frontier.budget


def _budgets(runs: Sequence[Record]) -> list[float]:
    """What runs at several bounds were planned for; that of sweeps where there are no others."""
    for wanted in (Kind.BOUND, Kind.SWEEP):
        bounds: dict[float, set[float | None]] = {}
        for run in runs:
            if kind(run) is wanted and not math.isnan(planned := planned_evaluations(run)):
                bounds.setdefault(planned, set()).add(run.request.lipschitz)
        if several := sorted(budget for budget, named in bounds.items() if len(named) > 1):
            return several
    return []


def _frontier(runs: Sequence[Record], searched: Sequence[Record], budget: float, *, outdated: int) -> Frontier:
    every = ways(runs, budget)
    bounded = [way for way in every if way.kind is not Kind.CEILING]
    seeds, others = common_seeds(bounded)
    lines = [Line(way, _points(way, budget, seeds), ()) for way in every]
    bounds = _bounds(lines)
    read = [replace(line, cells=_cells(line, bounds, seeds)) for line in lines if line.way.kind is not Kind.CEILING]
    judged = [run for run in runs if run.request.seed in seeds]
    made = Frontier(
        runs=tuple(runs),
        trials=tuple(searched),
        outdated=outdated,
        budget=budget,
        bounds=bounds,
        lines=tuple(_judged(read, len(bounds))),
        ceilings=tuple(line for line in lines if line.way.kind is Kind.CEILING and any(p.values for p in line.points)),
        predictors=tuple(row for row, _ in predictor_rows(judged)),
        seeds=seeds,
        other_seeds=others,
    )
    placed = replace(made, places=answer([made.problem]))
    return replace(placed, lines=tuple(sorted(placed.lines, key=lambda line: _order(line, placed))))


def _points(way: Way, budget: float, seeds: Sequence[int]) -> tuple[Cell, ...]:
    """What was run, by bound, with the interval of each mean."""
    return _with_intervals([_point(bound, runs, budget, seeds) for bound, runs in way.runs.items()])


def _with_intervals(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    intervals = bootstrap_intervals([list(cell.values.values()) for cell in cells])
    return tuple(replace(cell, interval=interval) for cell, interval in zip(cells, intervals, strict=True))


def _point(bound: float | None, runs: Sequence[Record], budget: float, seeds: Sequence[int]) -> Cell:
    by_seed = {run.request.seed: run for run in runs if run.request.seed in seeds}
    found = {seed: rms_within(by_seed[seed], budget) if seed in by_seed else Lost.NOT_RUN for seed in seeds}
    cell = _cell(bound, found)
    return replace(cell, runs=tuple(by_seed[seed] for seed in cell.values), tuning=tuning(runs))


def _cell(bound: float | None, found: Values) -> Cell:
    lost = {seed: value for seed, value in found.items() if isinstance(value, Lost)}
    return Cell(bound, {seed: value for seed, value in found.items() if not isinstance(value, Lost)}, lost)


def _bounds(lines: Sequence[Line]) -> tuple[float, ...]:
    """The bounds at which a way that reaches its own has a value; those of sweeps where there is none such."""
    for wanted in (Kind.BOUND, Kind.SWEEP):
        points = (point for line in lines if line.way.kind is wanted for point in line.points)
        if found := {point.lipschitz for point in points if point.lipschitz is not None and point.values}:
            return tuple(sorted(found))
    return ()


def _cells(line: Line, bounds: Sequence[float], seeds: Sequence[int]) -> tuple[Cell, ...]:
    if line.way.kind is Kind.SWEEP:
        read = ({seed: interpolated(line.points, seed, bound) for seed in seeds} for bound in bounds)
        return _with_intervals([_cell(bound, found) for bound, found in zip(bounds, read, strict=True)])
    run = {point.lipschitz: point for point in line.points}
    return tuple(run[b] if b in run else _cell(b, dict.fromkeys(seeds, Lost.NOT_RUN)) for b in bounds)


def interpolated(points: Sequence[Cell], seed: int, bound: float) -> float | Lost:
    """Test RMS of a sweep at a certified bound: linear in log certificate between the runs on either side.

    The runs are joined in the order of the bounds that were asked for, which set the output scale; where what was
    proven passes the bound several times, the largest scale counts. Nothing is said beyond what was measured.
    """
    path = [
        (math.log(run.outcome.lipschitz_certificate), point.values[seed])
        for point in points
        for run in point.runs
        if run.request.seed == seed
    ]
    at = math.log(bound)
    for (a, before), (b, after) in reversed(list(pairwise(path))):
        if min(a, b) <= at <= max(a, b):
            return after if a == b else before + (after - before) * (at - a) / (b - a)
    return Lost.OUTSIDE


def _judged(lines: Sequence[Line], bounds: int) -> list[Line]:
    """The lines with ranks and differences at every bound."""
    columns = [_column(lines, k) for k in range(bounds)]
    found = differences_of_all([[cell.values for _, cell in column] for column in columns], [0] * bounds)
    cells = [list(line.cells) for line in lines]
    for k, (column, differences) in enumerate(zip(columns, found, strict=True)):
        spans = rank_spans([cell.values for _, cell in column])
        for (place, cell), span, difference in zip(column, spans, differences, strict=True):
            cells[place][k] = replace(cell, rank=span, difference=difference)
    return [replace(line, cells=tuple(made)) for line, made in zip(lines, cells, strict=True)]


def _column(lines: Sequence[Line], k: int) -> list[tuple[int, Cell]]:
    """Whole cells at bound k, the best first, each with the place of its line."""
    found = [(place, line.cells[k]) for place, line in enumerate(lines) if line.cells[k].whole]
    return sorted(found, key=lambda item: item[1].interval.mean)


def _order(line: Line, frontier: Frontier) -> tuple[bool, float, int, float, Sortable]:
    """Ways with a place by it, the others by how many bounds they have and what they reach there."""
    place = frontier.places.get(line.way.key)
    known = [cell.interval.mean for cell in line.cells if cell.values]
    return place is None, place.rank.rank if place else 0, -len(known), float(np.sum(known)), line.way.key
