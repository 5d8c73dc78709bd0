"""The Neural-Lander network on a data set, beside the errors that its authors printed: a check of the data."""

from collections.abc import Iterator, Sequence

from normbench.papers.experiment import Experiment, Found, RowsJob, Shown
from normbench.papers.neural_lander.errors import LanderJob, lander_table
from normbench.papers.runs import Setting
from normbench.records.schema import Record


def _trainings(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    return [LanderJob(setting.task, setting.data_dir, seed) for seed in range(setting.seeds)]


def _show(setting: Setting, found: Found) -> Iterator[Shown]:
    yield lander_table(found.rows, task=setting.task, simulated=setting.dataset.simulated)


_ABOUT = "The network with biases of the Neural-Lander authors: Adam, five epochs, clipped spectral norms (torch)."
EXPERIMENTS = (
    Experiment("neural-lander", _ABOUT, seeds=8, jobs=_trainings, show=_show, backends=("torch",), keeps=False),
)
