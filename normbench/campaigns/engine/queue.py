"""Where jobs wait: a worker stays in a family of them, then begins one that no other does; the longest comes first."""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from normbench.campaigns.engine.jobs import needs

_Kin = tuple[int, Hashable]  # how many GPUs jobs of a line need, and their family


class Queue:
    """Jobs that no worker has yet; what it costs to take one does not grow with how many wait.

    Parameters
    ----------
    jobs : sequence of Job
    """

    def __init__(self, jobs: Sequence[Any]) -> None:
        self._lines: dict[_Kin, deque[tuple[int, Any]]] = defaultdict(deque)  # with places in the order of all
        self._waiting: Counter[int] = Counter()
        for place, job in enumerate(sorted(jobs, key=lambda job: -job.cost)):
            self._lines[needs(job), job.family].append((place, job))
            self._waiting[needs(job)] += 1
        self._heads: dict[int, list[tuple[int, _Kin]]] = defaultdict(list)  # heaps
        for kin, line in self._lines.items():
            heapq.heappush(self._heads[kin[0]], (line[0][0], kin))

    def __len__(self) -> int:
        return self._waiting.total()

    def most(self, gpus: int | None = None) -> int:
        """The most GPUs that a job which waits needs, of those that need at most so many."""
        return max((n for n, left in self._waiting.items() if left and (gpus is None or n <= gpus)), default=0)

    def take(self, family: Hashable, need: int, under_way: Iterable[Hashable] = ()) -> Any | None:
        """The longest job of the family, else of those that are not under way, else of all; None where nothing waits.

        Two workers that begin one family together would both compile what it shares.

        Parameters
        ----------
        family : hashable
            Of the job that the worker had before.
        need : int
            Only jobs that need just so many GPUs, see :func:`normbench.campaigns.engine.jobs.needs`.
        under_way : iterable of hashable
            Families of the jobs that other workers have.
        """
        kin = (need, family) if self._lines.get((need, family)) else self._longest(need, set(under_way))
        if kin is None:
            return None
        self._waiting[need] -= 1
        return self._lines[kin].popleft()[1]

    def _longest(self, need: int, under_way: set[Hashable]) -> _Kin | None:
        """The line in which the longest job waits, of those of other families than these if there is one."""
        heads, passed, found = self._heads[need], [], None
        while heads and found is None:
            place, kin = heapq.heappop(heads)
            if not (line := self._lines[kin]):
                continue
            if line[0][0] != place:  # its longest has left since
                heapq.heappush(heads, (line[0][0], kin))
                continue
            passed.append((place, kin))
            if kin[1] not in under_way:
                found = kin
        for head in passed:
            heapq.heappush(heads, head)
        return found or (passed[0][1] if passed else None)
