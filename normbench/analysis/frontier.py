"""The frontier: the test error that each way of training reaches at each certified bound, after equal evaluations."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from normbench.analysis.answer import Place, Problem, answer
from normbench.analysis.lines import Cell, Line, cells_of, points_of
from normbench.analysis.ranking import differences_of_all, rank_spans
from normbench.analysis.rows import PredictorRow, predictor_rows
from normbench.analysis.runs import planned_evaluations
from normbench.analysis.selection import Sortable, current, grouped, known, results, sortable, trials
from normbench.analysis.ways import Kind, common_seeds, is_planned_for, kind, ways
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import SPLITS


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
        Records of earlier code, data or libraries that are left out, see
        :func:`normbench.analysis.selection.current`.
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
    found, tried = [], grouped(trials(every), network_key)
    for key, group in grouped(results(every), network_key).items():
        runs = current(group)
        latest = max(runs, key=lambda run: run.provenance.created).provenance.data_sha256
        shown = [run for run in runs if run.provenance.data_sha256 == latest]
        searched = [run for run in tried.get(key, []) if run.provenance.data_sha256 == latest]
        made = (_frontier(shown, searched, budget, outdated=len(group) - len(shown)) for budget in _budgets(shown))
        found += [frontier for frontier in made if len(frontier.bounds) > 1]
    return sorted(found, key=_extent)


def network_key(record: Record) -> Sortable:
    """All that separates boards but the bound."""
    return sortable(record, Level.BOARD, without=("lipschitz",))


def _extent(frontier: Frontier) -> tuple[int, bool, float]:
    """Most ways that were run for the budget, and bounds, first; then the usual split and the smallest budget."""
    unusual = frontier.first.request.split != SPLITS[0]
    ways = sum(is_planned_for(line.way, frontier.budget) for line in frontier.lines)
    return -ways * len(frontier.bounds), unusual, frontier.budget


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
    lines = [Line(way, points_of(way, budget, seeds), ()) for way in every]
    bounds = _bounds(lines)
    read = [replace(line, cells=cells_of(line, bounds, seeds)) for line in lines if line.way.kind is not Kind.CEILING]
    judged = [run for run in runs if run.request.seed in seeds]
    made = Frontier(
        runs=tuple(runs),
        trials=tuple(searched),
        outdated=outdated,
        budget=budget,
        bounds=bounds,
        lines=tuple(read),
        ceilings=tuple(line for line in lines if line.way.kind is Kind.CEILING and any(p.values for p in line.points)),
        predictors=tuple(row for row, _ in predictor_rows(judged)),
        seeds=seeds,
        other_seeds=others,
    )
    return ranked(made)


def ranked(frontier: Frontier) -> Frontier:
    """The frontier with ranks and differences at every bound, places over all of them, and its lines in that order."""
    judged = replace(frontier, lines=tuple(_judged(frontier.lines, len(frontier.bounds))))
    placed = replace(judged, places=answer([judged.problem]))
    return replace(placed, lines=tuple(sorted(placed.lines, key=lambda line: _order(line, placed))))


def _bounds(lines: Sequence[Line]) -> tuple[float, ...]:
    """The bounds at which a way that reaches its own has a value; those of sweeps where there is none such."""
    for wanted in (Kind.BOUND, Kind.SWEEP):
        points = (point for line in lines if line.way.kind is wanted for point in line.points)
        if found := {point.lipschitz for point in points if point.lipschitz is not None and point.values}:
            return tuple(sorted(found))
    return ()


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
