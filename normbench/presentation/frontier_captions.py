"""The words under a frontier: what it does not say by itself, and what is missing from it."""

import math
from collections.abc import Sequence

from normbench.analysis.budget import Lost
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Cell, Line
from normbench.analysis.runs import evaluations_made
from normbench.analysis.ways import Kind, other_ways
from normbench.presentation.captions import SECOND, data, few_seeds, left_out
from normbench.presentation.frontiers import seeds_named, span, way_title
from normbench.presentation.tables import number

_NAMED = 12  # of a list that are named one by one
_LATER = 1.1  # times the budget: what is certified then is another network than the one that is read


def captions(frontier: Frontier) -> list[str]:
    """Every remark that applies, most important first."""
    return [
        data(frontier.first.provenance.simulated, frontier.first.request.task),
        _seeds(frontier),
        *unranked(frontier),
        *_lost(frontier),
        *_elsewhere(frontier),
        *_sweeps(frontier),
        *_seconds(frontier),
        *trivial(frontier),
        *few_seeds([len(frontier.seeds)]),
        *left_out(frontier.outdated),
    ]


def _seeds(frontier: Frontier) -> str:
    used = f"{seeds_named(frontier.seeds).capitalize()}."
    if not frontier.other_seeds:
        return used
    return f"{used} Few ways and bounds have seeds {span(frontier.other_seeds)}, which are left out here."


def listed(words: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "; ".join(words[:_NAMED]) + more


def _named(bounds: Sequence[float | None]) -> str:
    return ", ".join("none" if bound is None else f"{bound:g}" for bound in bounds)


def unranked(frontier: Frontier) -> list[str]:
    """Ways without a place, each with the bounds at which a seed is missing."""
    common = frontier.common_bounds
    if not common:
        return ["No bound is one that half of the ways have, so that nothing is ranked over all bounds."]
    missing = [
        f"{way_title(line)}: L = "
        + _named([b for b, cell in zip(frontier.bounds, line.cells, strict=True) if b in common and not cell.whole])
        for line in frontier.lines
        if line.way.key not in frontier.places
    ]
    over = f"Ranked over L = {_named(common)}."
    return [f"{over} Not ranked, for want of figures at these bounds: {listed(missing)}." if missing else over]


def _lost(frontier: Frontier) -> list[str]:
    """Runs that were made and do not count, each kind with its way and bound."""
    found = []
    for line in (*frontier.lines, *frontier.ceilings):
        for point in line.points:
            for reason in sorted(set(point.lost.values()), key=list(Lost).index):
                seeds = [seed for seed, lost in point.lost.items() if lost is reason]
                at = _at(point)
                found.append(f"{way_title(line)}{at}: {seeds_named(seeds)} {reason}{_proven(line, point, seeds)}")
    return [f"Without a figure: {listed(found)}."] if found else []


def _at(point: Cell) -> str:
    """`` at L = 20``, `` at 2 times the outputs``, or "" for a ceiling."""
    return "" if point.lipschitz is None and point.output_scale is None else f" at {_asked([point])}"


def _asked(points: Sequence[Cell]) -> str:
    """``L = 5, 10``, or ``0.5, 2 times the outputs``: what was asked for at the points of a way."""
    scales = [point.output_scale for point in points if point.output_scale is not None]
    return f"{_named(scales)} times the outputs" if scales else f"L = {_named([p.lipschitz for p in points])}"


def _elsewhere(frontier: Frontier) -> list[str]:
    """Ways that stand on frontiers of other budgets alone."""
    found = [way_title(Line(way, (), ())) for way in other_ways(frontier.runs, frontier.budget)]
    return [f"Not run for so many evaluations: {listed(found)}."] if found else []


def _proven(line: Line, point: Cell, seeds: Sequence[int]) -> str:
    """`` (20.5)``: the largest certificate, where one is above the bound."""
    if Lost.ABOVE not in {point.lost[seed] for seed in seeds}:
        return ""
    runs = [run for run in line.way.runs[point.lipschitz] if run.request.seed in seeds]
    return f" ({max(run.outcome.lipschitz_certificate for run in runs):.6g})"


def _sweeps(frontier: Frontier) -> list[str]:
    """What is certified of ways without a bound that they reach, and of which network."""
    notes = []
    for line in (*frontier.lines, *frontier.ceilings):
        known = [point for point in line.points if point.runs]
        if line.way.kind is Kind.BOUND or not known:
            continue
        name = way_title(line)
        if line.way.kind is Kind.SWEEP:
            low, high = (number(extreme(point.certificate for point in known), 1) for extreme in (min, max))
            notes.append(f"{name} is a sweep: {_swept(line)}, its certificates are {low} to {high}.")
        if (made := max(evaluations_made(run) for point in known for run in point.runs)) > _LATER * frontier.budget:
            notes.append(f"The certificates of {name} are those after {made:,.0f} evaluations.")
    return notes


def _swept(line: Line) -> str:
    """``asked for L = 5, 10``, or by what the outputs of its paper's scaling are multiplied."""
    asked = _asked(line.points)
    scaled = line.way.first.request.output_scale is not None
    return f"with {asked} of its paper's scaling" if scaled else f"asked for {asked}"


def _seconds(frontier: Frontier) -> list[str]:
    """What was searched where a way has two hyperparameters to search, and at which bounds one alone was."""
    lines = [line for line in (*frontier.lines, *frontier.ceilings) if any(found.second for found in line.tunings)]
    ones = {way_title(line): [p for p in line.points if p.tuning and not p.tuning.second] for line in lines}
    alone = listed([f"{name} at {_asked(points)}" for name, points in ones.items() if points])
    return [*([SECOND] if lines else []), *([f"The first alone was searched for {alone}."] if alone else [])]


def trivial(frontier: Frontier) -> list[str]:
    """What needs no optimiser, with its gain where that is known."""
    if not frontier.predictors:
        return []
    figures = [
        f"{row.optimiser} {number(row.test.mean)}"
        + (f" (at a gain of {number(row.gain, 1)})" if math.isfinite(row.gain) else "")
        for row in frontier.predictors
    ]
    return [f"Predictors without an optimiser: {', '.join(figures)}."]
