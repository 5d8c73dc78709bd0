"""Who does what: jobs given to workers, what comes back, and what does not because a worker died or took too long."""

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from normbench.campaigns.engine.crew import Crew, Seat
from normbench.campaigns.engine.jobs import Outcome, needs
from normbench.campaigns.engine.queue import Queue

TICK = 0.25  # seconds between two looks at who is there
_TRIES = 2  # of a job whose worker dies
_FULL_SECONDS = 5.0  # in which dask sees that memory is free again


@dataclass(eq=False)
class _Flight:
    """A job that a worker has."""

    job: Any
    family: Hashable
    seat: Seat
    tries: int
    since: float
    future: Any = None


class Shift:
    """What one call of :meth:`normbench.campaigns.engine.engine.Engine.run` has to do.

    Parameters
    ----------
    crew : Crew
    waiting : Queue
    may_start : callable
        Called with a job just before it starts; what it refuses goes to ``left_out``.
    families : dict
        By address of a worker the family of the job that it had last; it is kept up to date.
    seconds : float or None
        The longest that a job may take.
    """

    def __init__(
        self,
        crew: Crew,
        waiting: Queue,
        may_start: Callable[[Any], bool],
        families: dict[str, Hashable],
        seconds: float | None,
    ) -> None:
        self.left_out: list[Any] = []
        self._crew, self._waiting, self._may_start = crew, waiting, may_start
        self._families, self._seconds = families, seconds
        self._again: list[Any] = []  # what a worker died over
        self._flights: dict[str, _Flight] = {}  # by address
        self._ends: SimpleQueue[_Flight] = SimpleQueue()
        self._full_since: dict[str, float] = {}  # by address, of paused workers that do nothing

    @property
    def is_busy(self) -> bool:
        """True while a worker has a job."""
        return bool(self._flights)

    @property
    def jobs(self) -> int:
        """How many are not done."""
        return len(self._waiting) + len(self._again) + len(self._flights)

    @property
    def goes_on(self) -> bool:
        """True while there is something to do."""
        return self.jobs > 0

    @property
    def waits_for(self) -> int:
        """How many GPUs a worker must have for every job that waits."""
        return max(self._waiting.most(), *map(needs, self._again), 0)

    def hand_out(self, seats: dict[str, Seat]) -> None:
        """Give every worker that has nothing a job, as long as there are jobs for it."""
        for seat in seats.values():
            while seat.address not in self._flights and not seat.is_paused:
                job, tries = self._chosen(seat)
                if job is None:
                    break
                if self._may_start(job):
                    self._give(job, seat, tries)
                else:
                    self.left_out.append(job)

    def _chosen(self, seat: Seat) -> tuple[Any | None, int]:
        """What a worker does next, and how often it was tried: with GPUs what needs most of them, while that waits."""
        again = next((job for job in self._again if needs(job) <= seat.gpus), None)
        if again is not None:
            self._again.remove(again)
            return again, 1
        under_way = (flight.family for flight in self._flights.values())
        return self._waiting.take(self._families.get(seat.address), self._waiting.most(seat.gpus), under_way), 0

    def _give(self, job: Any, seat: Seat, tries: int) -> None:
        flight = _Flight(job, job.family, seat, tries + 1, time.monotonic())
        self._flights[seat.address] = flight
        self._families[seat.address] = flight.family
        flight.future = self._crew.give(job, seat, lambda: self._ends.put(flight))

    def landed(self, seats: dict[str, Seat]) -> Iterator[Outcome]:
        """What has ended since; waits a moment for the first."""
        for flight in self._new_ends():
            if self._flights.get(flight.seat.address) is flight:  # it was not given up before
                outcome = self._crew.outcome(flight.job, flight.future, flight.seat)
                if outcome is None and not self._crew.is_there:
                    return  # the scheduler has gone, which is no fault of the job's
                if outcome is None:
                    seats.pop(flight.seat.address, None)
                    yield from self._died(flight)
                else:
                    del self._flights[flight.seat.address]
                    yield outcome

    def _new_ends(self) -> Iterator[_Flight]:
        with suppress(Empty):
            yield self._ends.get(timeout=TICK)
            while True:
                yield self._ends.get_nowait()

    def lost(self, seats: dict[str, Seat]) -> Iterator[Outcome]:
        """What will never end: its worker has gone, or it takes longer than it may and is stopped."""
        for flight in list(self._flights.values()):
            if flight.seat.address not in seats:
                yield from self._died(flight)
            elif self._seconds is not None and time.monotonic() - flight.since > self._seconds:
                self._crew.restart(flight.seat)
                seats.pop(flight.seat.address)
                yield self._given_up(flight, f"it took longer than the limit of {self._seconds:g} s")

    def restart_full(self, seats: dict[str, Seat]) -> None:
        """Start idle workers anew that stay paused: what they did before has left their memory full."""
        now = time.monotonic()
        full = [seat for seat in seats.values() if seat.is_paused and seat.address not in self._flights]
        self._full_since = {seat.address: self._full_since.get(seat.address, now) for seat in full}
        for seat in full:
            if now - self._full_since[seat.address] > _FULL_SECONDS:
                self._crew.restart(seats.pop(seat.address))

    def _died(self, flight: _Flight) -> Iterator[Outcome]:
        """Another worker tries what one died over; where that dies, too, it is taken for the job's doing."""
        where = f"{flight.tries} times over it, last {flight.seat.address}"
        reason = f"the worker process died {where}; memory may have run out"
        given_up = self._given_up(flight, reason)
        if flight.tries < _TRIES:
            self._again.append(flight.job)
        else:
            yield given_up

    def _given_up(self, flight: _Flight, reason: str) -> Outcome:
        del self._flights[flight.seat.address]
        flight.future.cancel(force=True)
        return Outcome(flight.job, died=reason)
