"""The search for two hyperparameters, one after the other: the second at the best value of the first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from normbench.campaigns.search import TUNING_SEEDS, Find, Search, Stage, check_budget, is_of_two, usual_budget
from normbench.records.record import UNTUNED, Tuned
from normbench.running.request import RunRequest
from normbench.specs import Hyperparameter, Value


@dataclass(frozen=True)
class CoordinateSearch:
    """A search for one hyperparameter, then one for another at the value that was chosen, on the same seeds.

    The trials at that value of the second at which the first is searched serve both. Like the searches that it consists
    of it depends on the results of trials and on its budget alone.

    Attributes
    ----------
    first : Search
        Its own budget does not count.
    second : Hyperparameter
    budget : int or None
        Most trial runs of both searches; None for the usual budget of each. The second keeps what its grid needs, but
        at most half, and has what the first leaves.
    """

    first: Search
    second: Hyperparameter
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget(self.budget)

    @property
    def targets(self) -> tuple[RunRequest, ...]:
        """The runs, over all seeds and backends, that are made at the best values."""
        return self.first.targets

    @property
    def most_trials(self) -> int:
        """Trial runs that the budget allows, of both searches."""
        return usual_budget(self.first.grid) + usual_budget(self.second.grid) if self.budget is None else self.budget

    def stages(self, find: Find) -> list[Stage]:
        """The searches that have begun, each with how far it is; the second begins when the first has chosen."""
        [begun] = replace(self.first, budget=self._share).stages(find)
        if begun.state.best is None:
            return [begun]
        left = None if self.budget is None else self.budget - TUNING_SEEDS * (len(begun.state.tried) - 1)
        return [begun, *self._at(begun.state.best, left).stages(find)]

    def chosen(self, find: Find) -> dict[RunRequest, Tuned]:
        """The runs at the chosen values, each with what both choices have cost; none while one of them is missing."""
        first, *others = self.stages(find)
        if not others or others[0].state.best is None:
            return {}
        [(search, state)] = others
        more = TUNING_SEEDS * (len(state.tried) - 1)
        one, two = first.search.tuned(first.state), search.tuned(state)
        both = Tuned(one.tuning_runs + more, *one[1:3], more, *two[1:3])
        return dict.fromkeys(search.at(state.best), both)

    def marks(self, find: Find) -> dict[RunRequest, Tuned]:
        """What is to be said in every run that a search for the same two, with whatever budget, has chosen.

        What is said of a choice of the first alone stays, but for runs that are chosen here.
        """
        earlier = (run for search in self._begun(find) for value in search.values(find) for run in search.at(value))
        return {run: self._unchosen(run, find) for run in earlier if is_of_two(find(run))} | self.chosen(find)

    @property
    def _share(self) -> int | None:
        """The budget of the first search."""
        if self.budget is None:
            return None
        values = self.budget // TUNING_SEEDS
        return TUNING_SEEDS * max(values - (len(self.second.grid) - 1), (values + 1) // 2)

    @property
    def _known(self) -> Value:
        """The value of the second at which the first is searched."""
        return self.first.trial.hyperparameters[self.second.name]

    def _at(self, value: Value, budget: int | None = None) -> Search:
        """The search for the second at a value of the first; its budget counts the trials that are known."""
        return Search(self.second.name, self.second.grid, tuple(self.first.at(value)), budget, known=self._known)

    def _begun(self, find: Find) -> Iterator[Search]:
        """The searches for the second that were begun, at any value of the first."""
        for value in {*self.first.values(find), self.first.given}:
            search = self._at(value)
            if any(find(trial) for other in search.grid if other != self._known for trial in search.trials(other)):
                yield search

    def _unchosen(self, run: RunRequest, find: Find) -> Tuned:
        """What is said of a run that is not chosen any more: where it was made for its choice, among which values."""
        record = find(run)
        if record is None or run.hyperparameters[self.second.name] == self._known:
            return UNTUNED
        said = record.provenance.tuned
        return Tuned(tuning_second_low=said.tuning_second_low, tuning_second_high=said.tuning_second_high)
