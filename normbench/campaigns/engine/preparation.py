"""What is done in a worker of others before its first job, also in those that come later."""

from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin


class Preparation(WorkerPlugin):
    """Calls a picklable function in every worker; an error of it reaches who registers the plug-in."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare

    def setup(self, worker: Any) -> None:
        """Called by dask in the worker."""
        self._prepare()
