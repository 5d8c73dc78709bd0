"""A part of a plan, so that several machines make one campaign without talking to each other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapreplace

from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.plan import Plan
from normbench.errors import InvalidArgumentError
from normbench.running.request import RunRequest


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
                f"--shard takes I/N, part I of N counted from 1; got {text!r}. Example: --shard 1/4, to 4/4."
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
        ours: set[RunRequest] = set()
        pieces = sorted(_pieces(plan), key=lambda piece: -piece[1])
        loads = [(0.0, part) for part in range(1, min(self.total, len(pieces)) + 1)]  # the least first
        for runs, cost in pieces:
            load, part = loads[0]
            heapreplace(loads, (load + cost, part))
            if part == self.number:
                ours.update(runs)
        return Plan(
            tuple(run for run in plan.requests if run in ours),
            tuple(search for search in plan.searches if search.targets[0] in ours),
            tuple(run for run in plan.given if run in ours),
        )


def _pieces(plan: Plan) -> Iterator[tuple[tuple[RunRequest, ...], float]]:
    """Runs that cannot be divided, those of a search or a single one, each with their estimated cost."""
    searched = {run for search in plan.searches for run in search.targets}
    for search in plan.searches:
        targets = search.targets  # which are made at their own value and at the one that is chosen
        yield targets, 2 * sum(map(estimated_cost, targets)) + search.most_trials * estimated_cost(targets[0])
    for run in dict.fromkeys(plan.requests):
        if run not in searched:
            yield (run,), estimated_cost(run)
