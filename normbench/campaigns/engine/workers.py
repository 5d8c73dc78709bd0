"""Where jobs are done, as a user says it: processes of this machine, a dask scheduler, or a cluster to be made."""

import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from normbench.errors import InvalidArgumentError, argument
from normbench.machine import runs_at_once, threads_per_run, variable

_LEAST = 64 << 20  # bytes; Python with NumPy takes as much


@dataclass(frozen=True)
class Workers:
    """What a campaign is spread over.

    Attributes
    ----------
    jobs : int or None
        Processes of this machine, each of which makes one run at a time; the results do not depend on it, because each
        run has the same number of threads. None for as many as the cores allow, see :attr:`at_once`.
    scheduler : str or None
        Address of a dask scheduler, or the path of its ``scheduler.json``: its workers instead.
    cluster : Path or None
        YAML file of a cluster to make and to end, see :mod:`normbench.campaigns.engine.cluster_file`.
    threads : int
        Of each run.
    memory : int or None
        Bytes after which a process of this machine is ended, and the run that it makes; None for no limit. Other
        workers have their own.
    seconds : float or None
        The longest that a run may take; None for no limit.
    runs_per_gpu : int
        Runs at the same time on each GPU of this machine.
    dashboard : bool
        True for dask's page on what runs, for processes of this machine, too; it costs a second to start.
    devices : int
        The most over which a run is spread: each process of this machine has so many GPUs, or cores for so many shares.
    """

    jobs: int | None = None
    scheduler: str | None = None
    cluster: Path | None = None
    threads: int = field(default_factory=threads_per_run)
    memory: int | None = None
    seconds: float | None = None
    runs_per_gpu: int = 1
    dashboard: bool = False
    devices: int = 1

    def __post_init__(self) -> None:
        if self.scheduler is not None and self.cluster is not None:
            raise InvalidArgumentError(
                f"give either {argument('scheduler')}, which is there, or {argument('cluster')}, which is made; got "
                f"{self.scheduler!r} and {str(self.cluster)!r}."
            )
        if self.dashboard and find_spec("bokeh") is None:
            raise InvalidArgumentError(f"{argument('dashboard')} needs bokeh: pip install bokeh.")
        if self.memory is not None and not self.is_local:
            raise InvalidArgumentError(
                f"{argument('memory_limit')} is for the processes of this machine. Others have what they are "
                "started with: "
                f"dask worker --memory-limit 4GiB, or memory in the file of {argument('cluster')}."
            )

    @property
    def at_once(self) -> int:
        """Runs at the same time on this machine."""
        return self.jobs or runs_at_once(self.devices)

    @property
    def is_local(self) -> bool:
        """True for processes of this machine."""
        return self.scheduler is None and self.cluster is None


def memory(given: Any) -> int:
    """Bytes, of a number or of a text as dask writes it, such as 4GiB.

    Raises
    ------
    InvalidArgumentError
        If it is no such thing, or less than a process takes.
    """
    from dask.utils import format_bytes, parse_bytes

    try:
        found = int(parse_bytes(given)) if isinstance(given, str | int | float) else 0
    except (ValueError, OverflowError):
        found = 0
    if found < 1:
        raise InvalidArgumentError(f"{given!r} is no number of bytes, such as 4GiB or 500MB.")
    if found < _LEAST:  # 4 for 4GiB; and dask takes 1 for all there is
        raise InvalidArgumentError(
            f"{given!r} is {format_bytes(found)}, in which no process starts. Write 4GiB or 500MB."
        )
    return found


def gpus() -> list[str]:
    """The CUDA devices of this machine that are ours, as CUDA_VISIBLE_DEVICES names them."""
    ours = variable("CUDA_VISIBLE_DEVICES")
    if ours is not None:
        return [name.strip() for name in ours.split(",") if name.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    found = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(index) for index, line in enumerate(found.stdout.splitlines()) if line.startswith("GPU ")]
