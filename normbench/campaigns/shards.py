"""A part of a plan, so that several machines make one campaign without talking to each other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heapreplace

from normbench import specs
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.plan import Plan
from normbench.errors import InvalidArgumentError, argument
from normbench.running.request import RunRequest, setting


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``total``, counted from 1.

    Attributes
    ----------
    number, total : int
    """

    number: int
    total: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """From ``"2/4"``.

        Raises
        ------
        InvalidArgumentError
            If the text is no such pair.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(text))
        number, total = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= total:
            raise InvalidArgumentError(
                f"{argument('shard')} takes I/N, part I of N counted from 1; got {text!r}. Example: 1/4, to 4/4."
            )
        return cls(number, total)

    def of(self, plan: Plan) -> Plan:
        """What this part makes of a plan, in its order: all parts make the plan, and none makes what another does.

        A search stays whole, with the runs at the value that it starts from, because what it asks for next depends on
        what its trials gave. The most expensive goes first, to the part that has least: all parts end at about the same
        time. What a part is depends on the plan alone, so that one that was stopped goes on where it was.

        Parameters
        ----------
        plan : Plan
        """
        if self.total == 1:
            return plan
        ours: set[RunRequest] = set()
        pieces = sorted(_pieces(plan), key=lambda piece: -piece.cost)
        loads = [(0.0, part) for part in range(1, min(self.total, len(pieces)) + 1)]  # the least first
        for piece in pieces:
            load, part = loads[0]
            heapreplace(loads, (load + piece.cost, part))
            if part == self.number:
                ours.update(piece.runs)
        return Plan(
            tuple(run for run in plan.requests if run in ours),
            tuple(search for search in plan.searches if search.targets[0] in ours),
            tuple(run for run in plan.given if run in ours),
        )


@dataclass
class _Piece:
    """Runs that cannot be divided, with their estimated cost, and what other runs must not share with them."""

    runs: list[RunRequest]
    cost: float
    keys: set[object]


def _pieces(plan: Plan) -> list[_Piece]:
    """A search with its targets, or a single run; those in one that would make the same run, at a value or another."""
    home: dict[object, _Piece] = {}
    for piece in _smallest(plan):
        for key in [key for key in piece.keys if key in home]:
            met = home[key]
            if met is not piece:
                piece = _Piece(met.runs + piece.runs, met.cost + piece.cost, met.keys | piece.keys)
                home |= dict.fromkeys(met.keys, piece)
        home |= dict.fromkeys(piece.keys, piece)
    return list({id(piece): piece for piece in home.values()}.values())


def _smallest(plan: Plan) -> Iterator[_Piece]:
    searched = {run for search in plan.searches for run in search.targets}
    for search in plan.searches:
        targets = search.targets  # which are made at their own value and at the one that is chosen
        cost = 2 * sum(map(estimated_cost, targets)) + search.most_trials * estimated_cost(targets[0])
        trials = search.stages(lambda run: None)[0].trials  # those that it begins with
        yield _Piece([*targets], cost, {_but_for_searched_values(run) for run in (*targets, *trials)})
    for run in dict.fromkeys(plan.requests):
        if run not in searched:
            yield _Piece([run], estimated_cost(run), {_but_for_searched_values(run)})


def _but_for_searched_values(run: RunRequest) -> object:
    """What a run shares with all that a search of its optimiser may make of it."""
    searched = {h.name for h in specs.get(run.optimiser).searched}
    others = {name: value for name, value in run.hyperparameters.items() if name not in searched}
    return setting(replace(run, hyperparameters=others))
