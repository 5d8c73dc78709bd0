"""Workers in the place of those that a cluster of ours has lost: killed, or at the end of their job's time."""

import asyncio
import time
from concurrent.futures import Future
from typing import Any

from normbench.campaigns.engine.reasons import in_full

_RETRY_SECONDS = 60.0  # after a batch system has refused a job


class Replacements:
    """Keeps a cluster at the workers that were asked for, or by which it follows the demand.

    dask asks for them once. It looks 15 s after a death whether the worker is back, and forgets it if not; a job that
    was refused it takes for submitted.

    Parameters
    ----------
    cluster : object
        Only those of :class:`distributed.SpecCluster` are known to need it, which are all of dask_jobqueue.
    """

    def __init__(self, cluster: Any) -> None:
        from distributed import SpecCluster

        self._cluster = cluster if isinstance(cluster, SpecCluster) else None
        self._under_way: Future[None] | None = None
        self._next = 0.0

    def ask(self, jobs: int) -> str | None:
        """Ask for what is missing as long as there are more jobs than workers; does not wait for it.

        Returns
        -------
        str or None
            Why those asked for last could not be had; they are asked for again after a minute.
        """
        if self._cluster is None or (self._under_way is not None and not self._under_way.done()):
            return None
        error = None if self._under_way is None else self._under_way.exception()
        self._under_way = None
        if error is not None:
            self._next = time.monotonic() + _RETRY_SECONDS
        there = [worker for worker in list(self._cluster.workers.values()) if not _is_refused(worker)]
        if jobs > len(there) < len(self._cluster.worker_spec) and time.monotonic() >= self._next:
            loop: Any = self._cluster.loop
            self._under_way = asyncio.run_coroutine_threadsafe(self._complete(), loop.asyncio_loop)
        return None if error is None else in_full(error)

    async def _complete(self) -> None:
        """Start what is missing."""
        forget_refused(self._cluster)
        try:
            await self._cluster._correct_state()  # type: ignore[union-attr]
        finally:
            forget_refused(self._cluster)


def forget_refused(cluster: Any) -> None:
    """Take workers that could not be started out of a cluster: dask neither closes with them nor tries them again."""
    from distributed import Status

    for name, worker in list(getattr(cluster, "workers", {}).items()):
        if _is_refused(worker):
            worker.status = Status.failed
            del cluster.workers[name]


def _is_refused(worker: Any) -> bool:
    from distributed import Status

    return bool(worker.status == Status.created)
