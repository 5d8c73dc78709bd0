"""Jobs that do what a test plans, in worker processes that import this module."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KEPT: list[bytes] = []


@dataclass(frozen=True)
class Work:
    """Sleeps, then returns its number and what the process says of itself."""

    number: int = 0
    seconds: float = 0.0
    cost: float = 1.0
    family: object = None
    gpus: int = 0

    def __call__(self) -> Any:
        time.sleep(self.seconds)
        return self.number, os.getpid(), os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Deadly(Work):
    """Kills its process the way the kernel does when memory runs out, as long as fewer than ``times`` have died."""

    folder: Path = Path()
    times: int = 1

    def __call__(self) -> Any:
        if _count(self.folder) < self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__()


@dataclass(frozen=True)
class DeadlyResult(Work):
    """Its result kills the process that sends it, once."""

    folder: Path = Path()

    def __call__(self) -> Any:
        return _Result(self.folder, super().__call__())


@dataclass(frozen=True)
class Frozen(Work):
    """Stops its process, which then neither answers nor ends."""

    def __call__(self) -> Any:
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().__call__()


@dataclass(frozen=True)
class Hungry(Work):
    """Takes half a GiB and keeps it."""

    def __call__(self) -> Any:
        taken = b"1" * (512 << 20)
        time.sleep(60.0)
        return len(taken)


@dataclass(frozen=True)
class Full(Work):
    """Fills nine tenths of the memory of its worker, and never gives it back."""

    def __call__(self) -> Any:
        from distributed import get_worker  # not above: it has errors pickled in its own way, of classes that are there
        from psutil import Process

        limit = get_worker().memory_manager.memory_limit
        _KEPT.append(b"1" * (9 * limit // 10 - Process().memory_info().rss))
        return super().__call__()


@dataclass(frozen=True)
class Raising(Work):
    """Raises what it is given."""

    error: Exception | None = None

    def __call__(self) -> Any:
        raise self.error or ValueError("planted")


class UnportableError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


@dataclass
class _Result:
    folder: Path
    value: Any

    def __reduce__(self) -> Any:
        if _count(self.folder) < 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return tuple, (self.value,)


def _count(folder: Path) -> int:
    """How often it was asked before, by any process."""
    before = len(list(folder.iterdir()))
    (folder / str(before)).touch()
    return before
