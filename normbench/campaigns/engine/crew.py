"""Talks to dask.distributed: makes or joins a cluster, gives it work, sees who is there."""

import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from normbench.campaigns.engine import cluster_file, local_processes
from normbench.campaigns.engine.adaptive import Demand
from normbench.campaigns.engine.jobs import GPU, Outcome, needs
from normbench.campaigns.engine.reasons import last_line
from normbench.campaigns.engine.replacements import Replacements
from normbench.campaigns.engine.scheduler_address import address_of, unreachable
from normbench.campaigns.engine.worker import attempt
from normbench.campaigns.engine.workers import Workers
from normbench.errors import WorkerError

_CONNECT_SECONDS = 20.0
_KILL_SECONDS = 10.0
_FETCH_SECONDS = 5.0  # for a result that is there, before we look whether its worker is
_PAUSED = "paused"  # at 80 % of its memory, where it is not a process of this machine
_OF_NANNIES = ("PYTHONHASHSEED", "__DASK_PARENT_PID")  # variables that they leave in our environment

# Work is neither tried again nor moved by dask, because we place it.
# The profiler and the monitors of dask's own cost a processor share that runs are measured beside.
_OURS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.pause": False,
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.adaptive.wait-count": 60,  # looks, one a second; the next worker may wait for long in its queue
}
# a death is told in the record of its run; dask has a level of its own for its client
_QUIET = {"logging": dict.fromkeys(("distributed", "distributed.client", "tornado"), "critical")}


@dataclass(frozen=True)
class Seat:
    """A worker that makes one run at a time.

    Attributes
    ----------
    address, host : str
    gpus : int
        That it has to itself.
    is_paused : bool
        True while it does no more than it has begun, since most of its memory is taken.
    """

    address: str
    host: str
    gpus: int
    is_paused: bool = False


class Crew:
    """The workers of one cluster, and our connection to its scheduler; end it with :meth:`close`.

    Parameters
    ----------
    workers : Workers
    wanted : int
        The most jobs that there will be at the same time: no more processes are started here.
    prepare : callable, optional
        Picklable; called in every worker that is not a process of this machine, before its first job.

    Attributes
    ----------
    demand : Demand
        To be kept up to date, for clusters that adapt.

    Raises
    ------
    InvalidArgumentError
        If where the scheduler is, or what the cluster is, makes no sense.
    WorkerError
        If the scheduler does not answer, or the cluster cannot be made.
    NormbenchError, OSError
        What ``prepare`` raises.
    """

    def __init__(self, workers: Workers, wanted: int, prepare: Callable[[], None] | None = None) -> None:
        import dask

        with dask.config.set(_QUIET):  # which distributed reads when it is loaded
            from distributed import Client

        self._workers, self._names, self._ended = workers, count(), set[str]()
        self._last_said: dict[str, Any] = {}
        self.demand = Demand(wanted)
        with ExitStack() as ending:
            ending.enter_context(_unchanged_environment())
            ending.enter_context(dask.config.set(_OURS | _QUIET))  # also for processes that start later
            self._cluster, where = _cluster(workers, self.demand)
            ending.callback(_close, self._cluster)
            self._replacements = Replacements(self._cluster)
            try:
                self._client = Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError) as error:
                where_asked = workers.scheduler or str(workers.cluster or local_processes.HERE)
                raise unreachable(where_asked, last_line(error)) from error
            ending.callback(_close, self._client)
            loop: Any = getattr(self._client.loop, "asyncio_loop")  # noqa: B009 (tornado's types hide it)
            loop.call_soon_threadsafe(loop.set_exception_handler, _told_elsewhere)
            if prepare is not None and not workers.is_local:
                ending.callback(self._forget, self._prepared(prepare))
            self._ending = ending.pop_all()
        self.address = str(self._client.scheduler_info(n_workers=0)["address"])

    def _prepared(self, prepare: Callable[[], None]) -> str:
        """Have every worker do it; the name under which the scheduler keeps it for those to come."""
        from normbench.campaigns.engine.preparation import Preparation

        name = f"normbench-{self._client.id}"
        self._client.register_plugin(Preparation(prepare), name=name)
        return name

    def _forget(self, name: str) -> None:
        if self.is_there:
            with suppress(Exception):
                self._client.unregister_worker_plugin(name)

    def grow(self, wanted: int) -> None:
        """Have more processes of this machine, as many as are asked for and there will be jobs for."""
        size = min(self._workers.at_once, wanted)
        if self._workers.is_local and size > len(self._cluster.worker_spec):
            self._cluster.worker_spec.update(local_processes.nannies(self._workers, size))
            self._cluster.scale(size)

    def heal(self) -> str | None:
        """Have workers again in the place of those that were lost; why there are none, see :class:`Replacements`."""
        return self._replacements.ask(self.demand.jobs)

    @property
    def batch_jobs(self) -> list[str]:
        """Under which names a batch system has the workers that we asked it for."""
        workers = list(getattr(self._cluster, "workers", {}).values())
        return [str(name) for worker in workers if (name := getattr(worker, "job_id", None))]

    def close(self) -> None:
        """End what was started here, whatever it is doing; of workers that were there before, only our work."""
        self._ending.close()

    @property
    def is_there(self) -> bool:
        """False once the scheduler has gone."""
        return str(self._client.status) == "running"

    @property
    def dashboard(self) -> str | None:
        """Address of the page on which dask shows what runs; None where there is none, or none was asked for."""
        if self._workers.is_local and not self._workers.dashboard:
            return None
        services = self._client.scheduler_info(n_workers=0).get("services", {})
        return self._client.dashboard_link if "dashboard" in services else None

    def seats(self) -> dict[str, Seat]:
        """Who is there, by address."""
        found = self._workers_of_the_scheduler()
        everyone = {
            address: Seat(address, said["host"], int(said.get("resources", {}).get(GPU, 0)), status == _PAUSED)
            for address, said in found.items()
            if (status := said.get("status", "running")) in ("running", _PAUSED) and address not in self._ended
        }
        most = self._workers.devices
        if self._workers.is_local and all(seat.gpus < most for seat in everyone.values()):
            return {a: Seat(a, seat.host, most) for a, seat in everyone.items()}  # the run says what is missing
        return everyone

    def _workers_of_the_scheduler(self) -> dict[str, Any]:
        """What the scheduler says of its workers, by address; what it said last where it does not answer.

        The client's ``scheduler_info`` answers from what a timer of its own overwrites, every two seconds, with none of
        the workers: all would be taken for dead.
        """
        scheduler = self._client.scheduler  # None while the client connects anew
        if self.is_there and scheduler is not None:
            with suppress(OSError):
                self._last_said = self._client.sync(scheduler.identity, n_workers=-1)["workers"]
        return self._last_said

    def give(self, job: Any, seat: Seat, on_end: Callable[[], None]) -> Any:
        """Let a worker do a job; ``on_end`` is called in another thread when it has ended.

        It may never be called where the worker or the scheduler vanishes.

        Returns
        -------
        Future
            To be kept: dask stops what nobody waits for.
        """
        future = self._client.submit(
            attempt,
            pickle.dumps(job),
            self._workers.threads,
            key=f"normbench-{self._client.id}-{next(self._names)}",
            pure=False,
            workers=[seat.address],
            resources={GPU: needs(job)} if needs(job) and not self._workers.is_local else None,
        )
        future.add_done_callback(lambda done: on_end())
        return future

    def outcome(self, job: Any, future: Any, seat: Seat) -> Outcome | None:
        """How it ended; None where worker or scheduler vanished, with the result if there was one."""
        fetched: SimpleQueue[Outcome | None] = SimpleQueue()
        Thread(target=lambda: fetched.put(_ended_as(job, future)), name="normbench-fetch", daemon=True).start()
        while True:  # a busy machine takes its time: as long as the worker is there, the result may come
            try:
                return fetched.get(timeout=_FETCH_SECONDS)
            except Empty:
                if not self.is_there or seat.address not in self.seats():
                    return None

    def restart(self, seat: Seat) -> None:
        """End a process, whatever it is doing, and let another take its place; others need not wait for that."""

        def end() -> None:
            with suppress(OSError, RuntimeError):  # it ends with the scheduler, or with us
                try:
                    self._client.restart_workers([seat.address], timeout=_KILL_SECONDS, raise_for_error=False)
                except ValueError:  # nobody watches over it, who could start it again
                    self._client.retire_workers([seat.address], close_workers=True)

        self._ended.add(seat.address)  # the next one has an address of its own
        Thread(target=end, name="normbench-restart", daemon=True).start()


def _ended_as(job: Any, future: Any) -> Outcome | None:
    """What a future has become, as long as that takes; None where it was lost."""
    from distributed import KilledWorker

    try:
        if future.status == "finished":
            value, error = future.result()
            return Outcome(job, value=value, error=error)
        raised = future.exception()
    except (KilledWorker, TimeoutError, CancelledError, RuntimeError):  # the last where the client was closed meanwhile
        return None
    if raised is None or isinstance(raised, KilledWorker):  # cancelled, as the connection was lost
        return None
    return Outcome(job, error=WorkerError(f"a worker could not do {type(job).__name__}: {last_line(raised)}"))


@contextmanager
def _unchanged_environment() -> Iterator[None]:
    """Nannies leave variables in our environment, which are not ours."""
    before = {name: os.environ.get(name) for name in _OF_NANNIES}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _told_elsewhere(loop: Any, context: dict[str, Any]) -> None:
    """Say what went wrong within dask, but not that a result vanished with its worker, which we notice ourselves."""
    from distributed.client import AllExit

    if not isinstance(context.get("exception"), AllExit):
        loop.default_exception_handler(context)


def _close(connected: Any) -> None:
    """Close a client, or a cluster if there is one; of those that have gone already nothing is left to close."""
    if connected is not None:
        with suppress(Exception):
            connected.close(timeout=_KILL_SECONDS)


def _cluster(workers: Workers, demand: Demand) -> tuple[Any, dict[str, Any]]:
    """What we have made and must end, or None, and how a client finds it."""
    if workers.scheduler is not None:
        return None, {"address": address_of(workers.scheduler, seconds=_CONNECT_SECONDS)}
    made = (
        local_processes.started(workers, min(workers.at_once, demand.jobs))
        if workers.cluster is None
        else cluster_file.made(workers.cluster, demand)
    )
    return made, {"address": made}


def most_on_a_host(seats: Mapping[str, Seat]) -> int:
    """Workers that share a machine, where most do."""
    return max(Counter(seat.host for seat in seats.values()).values(), default=1)
