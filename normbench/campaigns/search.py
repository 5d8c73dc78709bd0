"""The search for a hyperparameter that a user would have to tune: on a validation part, over a grid that grows.

Every value is run on seeds that judge nothing, each run trains on 80 % of its training set and is judged on the other
20 %; the value with the lowest mean validation RMS is chosen. Neither test sets nor judged seeds choose anything.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count, islice, takewhile
from typing import NamedTuple

import numpy as np

from normbench import specs
from normbench.backends import get as get_backend
from normbench.backends.trajectory import Status
from normbench.campaigns.grid import Grid
from normbench.data.splits import VALIDATION
from normbench.errors import InvalidArgumentError, argument
from normbench.records.record import UNTUNED, Tuned
from normbench.records.schema import Record
from normbench.running.axis import Place
from normbench.running.request import RunRequest, axes
from normbench.specs import Value
from normbench.specs.values import Searched

TUNING_SEEDS = 3
FIRST_TUNING_SEED = 1000
GROWTHS = 4  # values beyond its grid that a search may try unless the user says otherwise
WHERE = tuple(axis.name for axis in axes() if axis.place is Place.WHERE)  # trials of one backend serve all

Find = Callable[[RunRequest], Record | None]


def is_of_two(record: Record | None) -> bool:
    """True if a search for two hyperparameters has made the run, or chosen it."""
    return record is not None and record.provenance.tuned.of_two


def with_value(base: RunRequest, name: str, value: Value) -> RunRequest:
    """The same run with one hyperparameter changed."""
    return replace(base, hyperparameters=base.hyperparameters | {name: value})


def tuning_seeds(judged: Collection[int]) -> tuple[int, ...]:
    """The seeds that choose: the first three from 1000 on that are not among the judged ones."""
    return tuple(islice((seed for seed in count(FIRST_TUNING_SEED) if seed not in judged), TUNING_SEEDS))


def judging(targets: Sequence[RunRequest]) -> tuple[RunRequest, ...]:
    """The trials that judge runs on a validation part: one a seed that chooses, on the fastest of their backends.

    Parameters
    ----------
    targets : sequence of RunRequest
        At least one; they differ in backend, device, dtype and seed alone.
    """
    first = min(targets, key=lambda run: (get_backend(run.backend).slowness, run.seed))
    seeds = tuning_seeds({run.seed for run in targets})
    return tuple(replace(first, seed=seed, judged_on=VALIDATION) for seed in seeds)


def usual_budget(grid: Sequence[Searched]) -> int:
    """Trial runs of a search unless the user says otherwise: enough for the grid and four values beyond it."""
    return TUNING_SEEDS * (len(grid) + GROWTHS)


def check_budget(budget: int | None) -> None:
    """Raise where a search could not try a single value.

    Raises
    ------
    InvalidArgumentError
    """
    if budget is not None and budget < TUNING_SEEDS:
        raise InvalidArgumentError(
            f"{argument('tuning_budget')} must be at least {TUNING_SEEDS} runs, one a seed for a value; got "
            f"{budget}. Give {TUNING_SEEDS} or more, or leave it out for the grid and {GROWTHS} values beyond."
        )


@dataclass(frozen=True)
class State:
    """How far a search is.

    Attributes
    ----------
    tried : tuple of float, or of tuples of numbers
        Values whose trials it has asked for, in ascending order.
    waiting : bool
        True if a trial of one of them is missing or failed.
    best : float, tuple or None
        The value that is chosen; None while trials are missing, or where none gave a finite result.
    """

    tried: tuple[Searched, ...]
    waiting: bool = False
    best: Searched | None = None


@dataclass(frozen=True)
class Search:
    """A log-grid search for one hyperparameter, and what is run at the value that it chooses.

    It runs on one backend only, the fastest of the chosen: the backends make the same updates (``normbench validate``),
    so one search serves all of them. What it asks for depends on the results of its trials and on its budget alone, so
    that it goes on where it was stopped and comes to the same choice; seeds that are added later do not change it.

    Attributes
    ----------
    name : str
        The hyperparameter.
    grid : tuple of float, or of tuples of numbers
    targets : tuple of RunRequest
        The runs, over all seeds and backends, that are made at the best value.
    budget : int or None
        Most trial runs; None for :func:`usual_budget`.
    known : float, optional
        The value of the grid whose trials another search has made, from which this one starts.
    """

    name: str
    grid: tuple[Searched, ...]
    targets: tuple[RunRequest, ...]
    budget: int | None = None
    known: Value = None

    def __post_init__(self) -> None:
        check_budget(self.budget)

    @cached_property
    def _judging(self) -> tuple[RunRequest, ...]:
        return judging(self.targets)

    @property
    def trial(self) -> RunRequest:
        """The run that is repeated for every value and seed."""
        return self._judging[0]

    @property
    def given(self) -> Value:
        """The value that the targets have before anything is chosen."""
        return self.trial.hyperparameters[self.name]

    @property
    def most_trials(self) -> int:
        """Trial runs that the budget allows."""
        return TUNING_SEEDS * self._most

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the trials."""
        return tuple(run.seed for run in self._judging)

    def trials(self, value: Value) -> list[RunRequest]:
        """The runs that judge one value, one a seed."""
        return [with_value(run, self.name, value) for run in self._judging]

    def at(self, value: Value) -> list[RunRequest]:
        """The runs at one value, over all judged seeds and backends."""
        return [with_value(target, self.name, value) for target in self.targets]

    def state(self, find: Find) -> State:
        """How far the search is, and what it needs or has chosen.

        The values are those of the grid; where the budget is too small for all of them, those around its middle, or
        around ``known``. While the best one lies at an end of what was tried, the next value beyond that end is tried,
        too. Trials that diverged are results, and lose.

        Parameters
        ----------
        find : callable
            From a run to its record, or None.
        """
        low, high = self._start()
        while True:
            tried = tuple(self._grid.value(k) for k in range(low, high))
            scores = [score for value in tried if (score := self._score(value, find)) is not None]
            if len(scores) < len(tried):
                return State(tried, waiting=True)
            best = scores.index(min(scores))
            if not math.isfinite(scores[best]):
                return State(tried)
            if best == 0 and self._may_try(low - 1, beside=tried):
                low -= 1
            elif best == len(tried) - 1 and self._may_try(high, beside=tried):
                high += 1
            else:
                return State(tried, best=tried[best])

    def stages(self, find: Find) -> list["Stage"]:
        """The searches of one hyperparameter that have begun, each with how far it is: this one."""
        return [Stage(self, self.state(find))]

    def chosen(self, find: Find) -> dict[RunRequest, Tuned]:
        """The runs at the chosen value, each with what the choice has cost; none while nothing is chosen."""
        state = self.state(find)
        return {} if state.best is None else dict.fromkeys(self.at(state.best), self.tuned(state))

    def tuned(self, state: State) -> Tuned:
        """What a choice has cost and covered, for the records of the runs at the best value."""
        low, high = map(self._grid.place, (state.tried[0], state.tried[-1]))
        return Tuned(TUNING_SEEDS * len(state.tried), low, high)

    def marks(self, find: Find) -> dict[RunRequest, Tuned]:
        """What is to be said in every run that a search for the same, with whatever budget, may have chosen.

        Where a search of two hyperparameters has chosen the same run, that choice stands.
        """
        values = {*self.values(find), self.given}
        runs = dict.fromkeys((run for value in values for run in self.at(value)), UNTUNED) | self.chosen(find)
        return {run: tuned for run, tuned in runs.items() if not is_of_two(find(run))}

    def values(self, find: Find) -> list[Searched]:
        """Every value that a search for the same, with whatever budget, may have chosen so far."""
        beyond = (
            takewhile(lambda v: any(map(find, self.trials(v))), self._grid.outwards(k)) for k in (-1, len(self._grid))
        )
        return [*self.grid, *chain.from_iterable(beyond)]

    @cached_property
    def _grid(self) -> Grid:
        declared = {h.name: h for h in specs.get(self.trial.optimiser).hyperparameters}[self.name]
        return Grid(self.grid, declared)

    def _start(self) -> tuple[int, int]:
        """The part of the grid that is tried first: from its centre outwards, of two values that nearer the default."""
        centre = (len(self.grid) - 1) / 2 if self.known is None else list[Value](self.grid).index(self.known)
        away = [self._grid.away(value, self.given) for value in self.grid]
        order = sorted(range(len(self.grid)), key=lambda k: (abs(k - centre), away[k]))
        chosen = order[: self._most]
        return min(chosen), max(chosen) + 1

    @property
    def _most(self) -> int:
        """Values that the budget allows."""
        return (usual_budget(self.grid) if self.budget is None else self.budget) // TUNING_SEEDS

    def _may_try(self, k: int, *, beside: Sequence[Searched]) -> bool:
        return len(beside) < self._most and self._grid.is_admissible(k)

    def _score(self, value: Searched, find: Find) -> float | None:
        """Mean validation RMS over the seeds, infinite where one of them diverged; None where one gave no result."""
        records = [find(trial) for trial in self.trials(value)]
        found: list[float] = []
        for record in records:
            if record is None or record.outcome.status == Status.FAILED:
                return None
            ended = record.outcome.status in (Status.DONE, Status.STALLED)
            found.append(record.outcome.test_rms if ended else math.inf)
        mean = float(np.mean(found))
        return mean if math.isfinite(mean) else math.inf


class Stage(NamedTuple):
    """A search of one hyperparameter, and how far it is."""

    search: Search
    state: State

    @property
    def trials(self) -> list[RunRequest]:
        """Those that it has asked for."""
        return [trial for value in self.state.tried for trial in self.search.trials(value)]
