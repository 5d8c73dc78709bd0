"""What an engine does: jobs, and how each of them ended."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Result_co = TypeVar("Result_co", covariant=True)

GPU = "GPU"  # what workers call theirs, as in ``dask worker --resources GPU=1``


class Job(Protocol[Result_co]):
    """Work for an engine: picklable, called in a worker process."""

    @property
    def cost(self) -> float:
        """Expected duration in any unit; the longest job starts first."""

    @property
    def family(self) -> Hashable:
        """Jobs of one family share compiled code, so a worker prefers to stay in it."""

    def __call__(self) -> Result_co:
        """Do the work; the result is sent to the engine."""


def needs(job: Any) -> int:
    """How many GPUs a worker must have to do the job."""
    return int(getattr(job, "gpus", 0))


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
        Why it gave no result though it raised nothing: its worker process vanished, or it took too long; else empty.
    """

    job: Any
    value: Any = None
    error: Exception | None = None
    died: str = ""
