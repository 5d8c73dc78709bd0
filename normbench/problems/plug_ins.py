"""Tasks of other packages: entry points ``normbench.tasks`` that name a function which makes a data set.

A module that :mod:`normbench.problems.tasks` asks for what it does not know itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from normbench.data import SourceInfo
from normbench.data.dataset import Dataset
from normbench.data.splits import rules
from normbench.errors import PlugInError
from normbench.networks import Loss
from normbench.specs import plug_ins

HIDDEN = (25, 30, 15)  # widths where a package says none: those of arXiv 2312.10672
_KINDS = "a function that takes nothing and returns a normbench.data.Dataset, or a normbench.problems.tasks.PlugInTask"


@dataclass(frozen=True, kw_only=True)
class PlugInTask:
    """A task of another package, for the entry points ``normbench.tasks``.

    Attributes
    ----------
    dataset : callable
        () -> :class:`normbench.data.Dataset`, in every process the same.
    title : str
        Shown in lists; "" for the name of the data set.
    hidden : tuple of int
        Hidden widths of the default network.
    loss, family, split, batch_size, iterations, target_rms
        As of :class:`normbench.problems.tasks.Task`.
    """

    dataset: Callable[[], Dataset]
    title: str = ""
    hidden: tuple[int, ...] = HIDDEN
    loss: Loss = Loss.SQUARE
    family: str = "perceptron"
    split: str = "random"
    batch_size: int | None = None
    iterations: int | None = None
    target_rms: float | None = None


def is_offered(key: str) -> bool:
    """True if an installed package has a task of that name."""
    return key in plug_ins.offered(plug_ins.TASKS)


@cache
def declared(key: str) -> PlugInTask | None:
    """The task that a package offers under a name, imported; None where none does.

    Raises
    ------
    PlugInError
        If it cannot be imported, or is none.
    """
    points = plug_ins.offered(plug_ins.TASKS)
    if key not in points:
        return None
    found = plug_ins.loaded(points[key].value, key)
    if isinstance(found, PlugInTask):
        return found
    if not callable(found):
        raise PlugInError(
            f"task {key!r} ({points[key].value}) is of type {type(found).__name__}, and must be {_KINDS}."
        )
    return PlugInTask(dataset=found)


@cache
def dataset(key: str) -> Dataset:
    """The samples of a task of another package.

    Raises
    ------
    PlugInError
        If they cannot be made, or are no data set.
    """
    task = declared(key)
    if task is None:
        raise PlugInError(f"no installed package has a task {key!r}.")
    try:
        found: Any = task.dataset()
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        said = " ".join(str(error).split()) or "no message"
        raise PlugInError(f"the data of task {key!r} cannot be made: {type(error).__name__}: {said}.") from error
    if not isinstance(found, Dataset):
        raise PlugInError(f"the function of task {key!r} gave {type(found).__name__}; it must be {_KINDS}.")
    return found


def source_info(key: str) -> SourceInfo:
    """What is known of the samples; they are made for that."""
    found = dataset(key)
    return SourceInfo(
        name=found.name,
        simulated=found.simulated,
        description=f"Of the task {key} of an installed package.",
        terms="those of the package",
        url="",
        citation="",
        samples=len(found.inputs),
        shape=found.inputs.shape[1:],
        classes=len(found.classes),
        splits=rules(found),
        present=True,
    )
