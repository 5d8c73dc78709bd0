"""A pool of worker processes that survives the death of a worker and dies with its parent.

The standard pools give up all pending work when one process is killed, and leave processes running when the
parent is; a benchmark that may run for hours can afford neither.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, Self, TypeVar

from normbench import backends
from normbench.errors import NormbenchError, OutputError, WorkerError
from normbench.machine import limit_threads

_CONTEXT = multiprocessing.get_context("spawn")  # a fork after torch or JAX has started threads may deadlock
_GOODBYE_SECONDS = 5.0
LONGEST_REASON, _LONGEST_CHAIN = 300, 4  # characters; errors within errors


Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Result_co]):
    """Work for a pool: picklable, called once in a worker process."""

    @property
    def cost(self) -> float:
        """Expected duration in any unit; the longest job starts first."""

    @property
    def family(self) -> object:
        """Jobs of one family share compiled code, so a worker prefers to stay in it."""

    def __call__(self) -> Result_co:
        """Do the work; the result is sent to the parent."""


@dataclass(frozen=True)
class Outcome:
    """How one job ended.

    Attributes
    ----------
    job : Job
    value : object
        What the job returned, or None.
    error : Exception or None
        What it raised.
    died : str
        Why its worker process vanished; empty if it did not.
    """

    job: Any
    value: Any = None
    error: Exception | None = None
    died: str = ""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    job: Any = None
    family: object = None

    def give(self, job: Any) -> None:
        self.connection.send(job)
        self.job, self.family = job, job.family

    def take(self) -> Outcome:
        """The outcome of the present job, also where the process died over it."""
        job, self.job = self.job, None
        try:
            value, error = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(_GOODBYE_SECONDS)
            return Outcome(job, died=f"the worker process died with exit code {self.process.exitcode}")
        return Outcome(job, value=value, error=error)


@dataclass
class Pool:
    """Up to ``size`` spawned processes with ``threads`` threads each; use it as a context manager.

    Processes start when there is work for them and are kept between calls of :meth:`run`, with what they have
    loaded and compiled. A program that uses a pool needs the usual ``if __name__ == "__main__":`` guard.
    """

    size: int
    threads: int
    _workers: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, jobs: Sequence[Job[Any]], on_done: Callable[[Outcome], None]) -> None:
        """Do every job, longest first; ``on_done`` is called in this process as each one ends."""
        waiting = sorted(jobs, key=lambda job: -job.cost)
        while waiting or any(worker.job for worker in self._workers):
            self._hand_out(waiting)
            busy = {worker.connection: worker for worker in self._workers if worker.job}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                outcome = worker.take()
                if outcome.died:
                    self._workers.remove(worker)
                on_done(outcome)

    def close(self) -> None:
        """End every worker, whatever it is doing; files are only ever replaced whole, so nothing is torn."""
        for worker in self._workers:
            worker.process.terminate()
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(_GOODBYE_SECONDS)
        self._workers.clear()

    def _hand_out(self, waiting: list[Any]) -> None:
        for worker in self._workers:
            if waiting and worker.job is None:
                self._give(worker, waiting)
        while waiting and len(self._workers) < self.size:
            worker = _start(self.threads)
            self._workers.append(worker)
            self._give(worker, waiting)

    @staticmethod
    def _give(worker: _Worker, waiting: list[Any]) -> None:
        job = next((job for job in waiting if job.family == worker.family), waiting[0])
        waiting.remove(job)
        try:
            worker.give(job)
        except OSError:  # it died while idle: take() reports it
            worker.job = job


def results_of(jobs: Sequence[Job[Result]], *, size: int, threads: int, on_done: Callable[[Any], None]) -> list[Result]:
    """What every job returned, in the order of the jobs, for work that is worth nothing in part.

    Parameters
    ----------
    jobs : sequence of Job
        Hashable, each once.
    size, threads : int
        Processes at the same time, and threads for each.
    on_done : callable
        Called with a job when it has ended.

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

    with Pool(size, threads) as pool:
        pool.run(jobs, finish)
    return [results[job] for job in jobs]


def _start(threads: int) -> _Worker:
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_work, args=(theirs,), daemon=True)
    with _backend_environment(threads):
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _backend_environment(threads: int) -> Iterator[None]:
    """What a child inherits: thread limits, for libraries it loads later, and the cache of compiled programs."""
    before = dict(os.environ)
    limit_threads(threads)
    for backend in backends.every():
        if backend.compilation_cache is not None:
            with suppress(OutputError):  # `normbench run` says so
                os.environ.update(backend.compilation_cache())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(job))


def _attempt(job: Any) -> tuple[Any, Exception | None]:
    try:
        return job(), None
    except Exception as error:
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error itself if it survives a pipe, else its type and message."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(last_line(error))
    return error


def last_line(error: BaseException) -> str:
    """Type and message of an error, as they end its traceback: in one line of printable characters, not too long.

    Of a message of several lines it is the first, never one of the notes that a library has added (PEP 678). A group
    is followed by the first error in it, an error without a message by its cause.
    """
    parts: list[str] = []
    found: BaseException | None = error
    while found is not None and len(parts) < _LONGEST_CHAIN:
        message = _message(found)
        parts.append(": ".join(filter(None, (_name(type(found)), message))))
        cause = None if message else found.__cause__
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else cause
    reason = ": ".join(parts)
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 3]}..."


def _name(kind: type) -> str:
    """As tracebacks show it."""
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _message(error: BaseException) -> str:
    """First line of the message that says something."""
    try:
        lines = str(error).splitlines()
    except Exception:  # some errors cannot print themselves
        return ""
    printable = ("".join(c if c.isprintable() else " " for c in line[: 2 * LONGEST_REASON]) for line in lines)
    return next((" ".join(line.split()) for line in printable if line.strip()), "")


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
