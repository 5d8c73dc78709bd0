"""The data sets of a command and of its worker processes, each of which loads a data set once."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from normbench.data.dataset import Dataset
from normbench.problems import tasks


@dataclass(frozen=True)
class Samples:
    """Data sets, loaded when they are first asked for and kept as long as this is; tasks may share one.

    Attributes
    ----------
    data_dir : Path or None
        Folder of data files given by the user.
    """

    data_dir: Path | None = None
    _loaded: dict[tuple[str, int | None], Dataset] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, task: str) -> Dataset:
        """The samples of a task.

        Raises
        ------
        InvalidArgumentError
            If there is no such task.
        DataError, DownloadError
            If the data cannot be had.
        """
        entry = tasks.get(task)
        what = entry.source, entry.training
        if what not in self._loaded:
            self._loaded[what] = entry.dataset(self.data_dir)
        return self._loaded[what]


@cache
def of_worker(data_dir: Path | None) -> Samples:
    """Those of this worker process, for its jobs; it ends with its pool, so files that change later are seen."""
    return Samples(data_dir)
