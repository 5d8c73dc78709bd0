"""Doing jobs on the workers of a cluster: each has one at a time, chosen here, so that a death costs that one alone.

The scheduler of dask knows only the jobs that run. What waits is here: the longest first, families together, those that
need a GPU where one is; a hundred thousand of them cost it nothing.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Self, TypeVar

from normbench.campaigns.engine.crew import Crew, Seat, most_on_a_host
from normbench.campaigns.engine.jobs import GPU, Job, Outcome
from normbench.campaigns.engine.queue import Queue
from normbench.campaigns.engine.reasons import last_line
from normbench.campaigns.engine.scheduler_address import worker_command
from normbench.campaigns.engine.shift import TICK, Shift
from normbench.campaigns.engine.workers import Workers
from normbench.errors import NormbenchError, WorkerError

Result = TypeVar("Result")

_LOOK_SHARE = 20  # a look at a thousand workers takes longer: at most a twentieth of the time goes into looking
_NAMED = 3  # jobs of a batch system
_PATIENCE = 10.0  # seconds without a worker after which that is said


def _silent(text: str) -> None:
    """Where nobody listens."""


class Engine:
    """Workers for jobs; use it as a context manager.

    They start, or are joined, with the first job, and are kept between calls of :meth:`run` with what they have loaded
    and compiled. A program that uses processes of its own machine needs the usual ``if __name__ == "__main__":`` guard.

    Parameters
    ----------
    workers : Workers
    say : callable, optional
        Receives a line of text on what a user waits for.
    prepare : callable, optional
        Picklable; called in every worker that is not a process of this machine, before its first job.

    Attributes
    ----------
    seats : dict of str to Seat
        Who is there, by address, as it was at the last look.
    """

    def __init__(
        self,
        workers: Workers,
        say: Callable[[str], None] = _silent,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._workers, self._say, self._prepare = workers, say, prepare
        self._crew: Crew | None = None
        self.seats: dict[str, Seat] = {}
        self._families: dict[str, Hashable] = {}  # by address: what a worker has compiled
        self._next_look = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End what was started, whatever it is doing; files are only ever replaced whole, so nothing is torn."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()

    def runs_beside(self) -> int:
        """Runs that share a machine, where most do."""
        return self._workers.at_once if self._workers.is_local else most_on_a_host(self.seats)

    def start(self, wanted: int) -> None:
        """Have workers; those of this machine are no more than there will be jobs, those of a cluster may come later.

        Raises
        ------
        WorkerError
            If the scheduler does not answer, or the cluster cannot be made.
        """
        if self._crew is None:
            self._crew = Crew(self._workers, wanted, self._prepare)
            if self._crew.dashboard:
                self._say(f"What runs: {self._crew.dashboard}")
        else:
            self._crew.grow(wanted)
            self._crew.demand.jobs = wanted
        self.seats = self._crew.seats()

    def run(
        self,
        jobs: Sequence[Job[Any]],
        on_done: Callable[[Outcome], None],
        may_start: Callable[[Any], bool] = lambda job: True,
    ) -> list[Any]:
        """Do every job, longest first.

        Parameters
        ----------
        jobs : sequence of Job
        on_done : callable
            Called in this thread as each one ends.
        may_start : callable
            Called with a job just before it starts; False leaves it out.

        Returns
        -------
        list of Job
            Those that were left out.

        Raises
        ------
        WorkerError
            If the scheduler does not answer, or has gone.
        """
        if not jobs:
            return []
        self.start(len(jobs))
        assert self._crew is not None
        shift = Shift(self._crew, Queue(jobs), may_start, self._families, self._workers.seconds)
        idle_since, told = time.monotonic(), False
        while shift.goes_on:
            shift.hand_out(self.seats)
            for outcome in shift.landed(self.seats):
                on_done(outcome)
            self._crew.demand.jobs = shift.jobs
            if time.monotonic() >= self._next_look:
                self._look(self._crew)
                for outcome in shift.lost(self.seats):
                    on_done(outcome)
                shift.restart_full(self.seats)
            if shift.is_busy:
                idle_since, told = time.monotonic(), False
            elif not told and time.monotonic() - idle_since > _PATIENCE:
                told = True
                self._say(self._missing(self._crew, shift.waits_for))
        return shift.left_out

    def _look(self, crew: Crew) -> None:
        """See who is there.

        Raises
        ------
        WorkerError
            If the scheduler has gone.
        """
        began = time.monotonic()
        if not crew.is_there:
            raise WorkerError(
                f"the dask scheduler at {crew.address} has gone, and with it the runs in flight. What had ended before "
                "is stored; the same command goes on from there."
            )
        if refused := crew.heal():
            where = str(self._workers.cluster or "this machine")
            self._say(f"{where} gives no worker in the place of one that it lost: {refused}. It is asked every minute.")
        self.seats = crew.seats()
        now = time.monotonic()
        self._next_look = now + max(TICK, _LOOK_SHARE * (now - began))

    def _missing(self, crew: Crew, gpus: int) -> str:
        """What a user has to start."""
        scheduler = self._workers.scheduler
        where = scheduler or str(self._workers.cluster or "this machine")
        start = "" if scheduler is None else f" Start some: {worker_command(scheduler)}"
        if self.seats and gpus:
            start = start and f"{start} --resources {GPU}={gpus}"
            what, that = ("a GPU", "one") if gpus == 1 else (f"{gpus} GPUs", "as many")
            seen = f"none of the {len(self.seats)} of {where} says that it has {that}"
            return f"Waiting for a worker with {what}; {seen}.{start}"
        names = crew.batch_jobs
        jobs = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        asked = (
            jobs and f" Their jobs are {jobs}: squeue, qstat or bjobs and what the jobs print say why none has come."
        )
        return f"Waiting for workers of {where}.{asked}{start}"


def results_of(
    jobs: Sequence[Job[Result]],
    workers: Workers,
    *,
    on_done: Callable[[Any], None],
    say: Callable[[str], None] = _silent,
) -> list[Result]:
    """What every job returned, in the order of the jobs, for work that is worth nothing in part.

    Parameters
    ----------
    jobs : sequence of Job
        Hashable, each once.
    workers : Workers
    on_done : callable
        Called with a job when it has ended.
    say : callable, optional
        See :class:`Engine`.

    Raises
    ------
    WorkerError
        If a worker process died, or a job raised an error that normbench does not know.
    NormbenchError, OSError
        What a job raised.
    """
    results: dict[Any, Any] = {}

    def finish(outcome: Outcome) -> None:
        if isinstance(outcome.error, NormbenchError | OSError):
            raise outcome.error
        reason = outcome.died or (last_line(outcome.error) if outcome.error is not None else "")
        if reason:
            raise WorkerError(f"{type(outcome.job).__name__} ended without a result: {reason}") from outcome.error
        results[outcome.job] = outcome.value
        on_done(outcome.job)

    with Engine(workers, say) as engine:
        engine.run(jobs, finish)
    return [results[job] for job in jobs]
