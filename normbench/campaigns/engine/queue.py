"""Where jobs wait: the longest starts first, and a worker stays within a family of them."""

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from normbench.campaigns.engine.jobs import needs


@dataclass
class _Entry:
    """A job, which waits in two lines."""

    job: Any
    taken: bool = False


_Line = deque[_Entry]


class Queue:
    """Jobs that no worker has yet; to take one costs the same whether ten or a hundred thousand wait.

    Parameters
    ----------
    jobs : sequence of Job
    """

    def __init__(self, jobs: Sequence[Any]) -> None:
        self._all: dict[str | None, _Line] = defaultdict(deque)
        self._families: dict[tuple[str | None, Hashable], _Line] = defaultdict(deque)
        self._waiting: Counter[str | None] = Counter()
        for job in sorted(jobs, key=lambda job: -job.cost):
            entry, need = _Entry(job), needs(job)
            self._all[need].append(entry)
            self._families[need, job.family].append(entry)
            self._waiting[need] += 1

    def __len__(self) -> int:
        return self._waiting.total()

    def waiting(self, need: str | None) -> int:
        """How many jobs wait that need just that, see :func:`normbench.campaigns.engine.jobs.needs`."""
        return self._waiting[need]

    def take(self, family: Hashable, need: str | None) -> Any | None:
        """The longest job of the family, else the longest of all; None where nothing waits.

        Parameters
        ----------
        family : hashable
            Of the job that the worker had before.
        need : str or None
            Only jobs that need just that.
        """
        entry = _first(self._families.get((need, family))) or _first(self._all.get(need))
        if entry is None:
            return None
        entry.taken = True
        self._waiting[need] -= 1
        return entry.job


def _first(line: _Line | None) -> _Entry | None:
    """The first that waits still; those before it, which the other line has given away, leave."""
    while line:
        entry = line.popleft()
        if not entry.taken:
            return entry
    return None
