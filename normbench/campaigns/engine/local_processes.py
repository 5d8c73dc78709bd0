"""Processes of this machine that make runs, by dask's nannies, and what is said where they do not start."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from normbench.campaigns.engine.jobs import GPU
from normbench.campaigns.engine.reasons import last_line
from normbench.campaigns.engine.workers import Workers, gpus
from normbench.errors import WorkerError

HERE = "127.0.0.1"
_XLA_MEMORY, _XLA_USUAL = "XLA_PYTHON_CLIENT_MEM_FRACTION", 0.75  # of a GPU, which a process of JAX takes at its start
_UNGUARDED = (
    'A script that has runs made in processes of their own has to ask for them below if __name__ == "__main__":, '
    "since each process reads the script first."
)


def started(workers: Workers, size: int) -> Any:
    """As many processes, each with its nanny, who starts another where one dies; they end with this process.

    Raises
    ------
    WorkerError
        If they do not start.
    """
    from distributed import Scheduler, SpecCluster

    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing asks before it starts any
        raise WorkerError(f"this process was started to make runs, and asks for processes while it does. {_UNGUARDED}")
    program = sys.modules["__main__"]
    if getattr(program, "__spec__", None) is None and not Path(getattr(program, "__file__", __file__)).is_file():
        raise WorkerError(
            f"the processes of this machine do not start: each would read the program {program.__file__}, which is no "
            "file. Write it into one."
        )
    scheduler = {
        "cls": Scheduler,
        "options": {"host": HERE, "port": 0, "dashboard": workers.dashboard, "dashboard_address": f"{HERE}:0"},
    }
    try:
        with _deaf_to_interrupts():
            return SpecCluster(nannies(workers, size), scheduler, silence_logs=logging.CRITICAL)
    except RuntimeError as error:
        raise WorkerError(f"the processes of this machine do not start: {last_line(error)} {_UNGUARDED}") from error


def nannies(workers: Workers, size: int) -> dict[int, dict[str, Any]]:
    """What SpecCluster makes processes from; the first ones have a GPU each, or as many as a run is spread over."""
    from distributed import Nanny

    ours, each = gpus(), workers.devices
    groups = [ours[k : k + each] for k in range(0, len(ours) - each + 1, each) for _ in range(workers.runs_per_gpu)]
    common = {"nthreads": 1, "memory_limit": workers.memory or 0, "dashboard": False, "silence_logs": logging.CRITICAL}
    alone = workers.runs_per_gpu == 1 or _XLA_MEMORY in os.environ
    share = {} if alone else {_XLA_MEMORY: f"{_XLA_USUAL / workers.runs_per_gpu:.3f}"}
    with_gpu = [
        {"resources": {GPU: each}, "env": {**share, "CUDA_VISIBLE_DEVICES": ",".join(own)}} for own in groups[:size]
    ]
    own = with_gpu + [{}] * (size - len(with_gpu))
    return {place: {"cls": Nanny, "options": common | special} for place, special in enumerate(own)}


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Threads and processes that start from here do not hear SIGINT, which Ctrl-C sends to all: we end them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing starts it with the first process, and then lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
