"""The bound that a validation part chooses: who may use a bound may use any smaller one, and a wide one may overfit.

Of each way and bound L the runs count that were made at one bound of at most L, the same for all seeds: the one whose
trials, see :func:`normbench.campaigns.search.judging`, have the lowest mean error. Test values choose nothing.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from normbench.analysis.budget import Lost, rms_at
from normbench.analysis.frontier import Frontier, ranked
from normbench.analysis.lines import Line, not_run
from normbench.analysis.selection import Sortable, current, grouped, sortable
from normbench.analysis.ways import Kind
from normbench.backends.trajectory import Status
from normbench.campaigns.search import TUNING_SEEDS, WHERE, tuning_seeds
from normbench.records.schema import Record
from normbench.running.axis import Level

Trials = Mapping[Sortable, Sequence[Record]]


@dataclass(frozen=True)
class ChosenBounds:
    """A frontier on which every way stands at bounds that trials chose.

    Attributes
    ----------
    frontier : Frontier
        Of the ways that have trials at all their bounds, ranked among themselves; ``lipschitz`` of a cell is the bound
        that was chosen for it.
    trial_runs : mapping
        By key of the way: runs of trials and searches at all its bounds together.
    left_out : tuple of Line
        Ways that reach their bounds and lack trials. Sweeps are judged at none.
    """

    frontier: Frontier
    trial_runs: Mapping[Hashable, int]
    left_out: tuple[Line, ...]

    def has_trials_of_its_own(self, line: Line) -> bool:
        """True if trials were made to choose among the bounds of the way, and no search made them."""
        return line.way.key in self.trial_runs and not any(tuning.cost for tuning in line.tunings)


def chosen_bounds(frontier: Frontier) -> ChosenBounds | None:
    """The frontier by the rule, or None where no way has trials at all its bounds."""
    trials = grouped(current(frontier.trials), _judges)
    judged = [line for line in frontier.lines if line.way.kind is Kind.BOUND]
    errors = {line.way.key: _errors(line, trials, frontier.budget) for line in judged}
    chosen = [line for line in judged if errors[line.way.key]]
    if not chosen:
        return None
    lines = tuple(_at_chosen(line, errors[line.way.key], frontier) for line in chosen)
    return ChosenBounds(
        frontier=ranked(replace(frontier, lines=lines)),
        trial_runs={line.way.key: _trial_runs(line) for line in chosen},
        left_out=tuple(line for line in judged if not errors[line.way.key]),
    )


def _judges(record: Record) -> Sortable:
    """What a run and its trials have in common: all but the seed, where it was made and the part that judges."""
    return sortable(record, Level.BOARD, Level.ROW, without=(*WHERE, "judged_on"))


def _errors(line: Line, trials: Trials, budget: float) -> dict[float, float]:
    """Mean validation RMS at each bound of a way; empty where it is not known at all of them.

    The trials are those of one backend, the way's own where it has them all: a search is made on one of its backends.
    """
    seeds = tuning_seeds({run.request.seed for runs in line.way.runs.values() for run in runs})
    tried = {
        bound: [trial for trial in trials.get(_judges(runs[0]), ()) if trial.request.seed in seeds]
        for bound, runs in line.way.runs.items()
        if bound is not None
    }
    own, places = _place(line.way.first), {_place(trial) for made in tried.values() for trial in made}
    for place in sorted(places, key=lambda place: (place != own, place)):
        means = {bound: _mean([t for t in made if _place(t) == place], budget) for bound, made in tried.items()}
        if all(mean is not None for mean in means.values()):
            return {bound: mean for bound, mean in means.items() if mean is not None}
    return {}


def _place(record: Record) -> Sortable:
    """Backend, device and precision."""
    return tuple(item for item in sortable(record) if item[0] in WHERE)


def _mean(trials: Sequence[Record], budget: float) -> float | None:
    """Over the trials of one bound; None where one of them is missing or has no figure."""
    errors = [error for trial in trials if (error := _error(trial, budget)) is not None]
    return float(np.mean(errors)) if len(errors) == TUNING_SEEDS else None


def _error(trial: Record, budget: float) -> float | None:
    """Validation RMS at the budget; infinite where the trial diverged, as in searches, and None where it has none."""
    found = rms_at(trial, budget)
    if not isinstance(found, Lost):
        return found
    return math.inf if found is Lost.FAILED and trial.outcome.status != Status.FAILED else None


def _at_chosen(line: Line, errors: Mapping[float, float], frontier: Frontier) -> Line:
    """The way with, at each bound of the frontier, the runs at the chosen one; of equals at the smallest."""
    points = {point.lipschitz: point for point in line.points}
    allowed = [[bound for bound in errors if bound <= limit] for limit in frontier.bounds]
    cells = [
        points[min(bounds, key=errors.__getitem__)] if bounds else not_run(limit, frontier.seeds)
        for limit, bounds in zip(frontier.bounds, allowed, strict=True)
    ]
    return replace(line, cells=tuple(cells))


def _trial_runs(line: Line) -> int:
    """Of its searches, which hold the trials that judge the bounds, or of those trials alone."""
    return sum(max(tuning.cost, TUNING_SEEDS) for tuning in line.tunings)
