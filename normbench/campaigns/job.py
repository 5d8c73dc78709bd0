"""One run of a campaign, in a worker process: training, and the record on disk before anyone is told."""

from dataclasses import dataclass
from pathlib import Path

from normbench import backends
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.pool import last_line
from normbench.campaigns.samples import of_worker
from normbench.data.dataset import Dataset
from normbench.errors import BackendUnavailableError, OutputError
from normbench.records.build import record_of
from normbench.records.record import Tuned
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.running.request import RunRequest, setting
from normbench.running.result import Outcome
from normbench.specs import PlugIn, plug_ins


def run_name(run: RunRequest) -> str:
    """One run in a few words, for messages."""
    values = (f"{name}={value:g}" for name, value in run.hyperparameters.items() if isinstance(value, float))
    return " ".join((run.optimiser, run.backend, f"seed {run.seed}", f"on {run.task}", *values))


@dataclass(frozen=True)
class RunJob:
    """One run and the writing of its record, in a worker process."""

    request: RunRequest
    directory: Path
    data_dir: Path | None
    tuned: Tuned
    jobs: int
    threads: int
    keep: bool = False  # the trained network, too
    given: bool = False  # the user gave a value that is searched
    plug_in: PlugIn | None = None  # what the plan means by the optimiser, if it is another package's

    @property
    def cost(self) -> float:
        """See :func:`estimated_cost`."""
        return estimated_cost(self.request)

    @property
    def family(self) -> object:
        """What has to be compiled anew when it changes."""
        return setting(self.request, without=("seed", "hyperparameters"))

    def __call__(self) -> Record:
        """Train, and have the record on disk before anyone is told.

        Raises
        ------
        OutputError
            If the record cannot be written; the message names the run whose result that costs.
        """
        from normbench.running.run import run

        if self.plug_in is not None:
            plug_ins.adopt(self.request.optimiser, self.plug_in)
        dataset = of_worker(self.data_dir).of(self.request.task)
        try:
            result = run(self.request, dataset)
            record = self._record(result.outcome, dataset, threads=backends.get(self.request.backend).threads())
            if self.keep and result.network:  # first, since a record says that all of its run is there
                result.network.write(Store(self.directory).network_path(record.record_id))
        except (BackendUnavailableError, OutputError):
            raise
        except Exception as error:
            record = self.failed(dataset, last_line(error))
        store_result(Store(self.directory), record)
        return record

    def failed(self, dataset: Dataset, reason: str) -> Record:
        """The record to write when the run gave no result."""
        from normbench.running.run import predictors_of

        failed = Outcome.failed(reason, unit=dataset.unit, predictors=predictors_of(self.request, dataset))
        return self._record(failed, dataset, threads=self.threads)

    def _record(self, outcome: Outcome, dataset: Dataset, *, threads: int) -> Record:
        return record_of(
            self.request,
            outcome,
            dataset,
            tuned=self.tuned,
            given=self.given,
            jobs=self.jobs,
            threads=threads,
        )


def store_result(store: Store, record: Record) -> None:
    """Write a record.

    Raises
    ------
    OutputError
        If it cannot be written; the message names the run whose result that costs.
    """
    try:
        store.write(record)
    except OutputError as error:
        raise OutputError(
            f"{error} The result of {run_name(record.request)} is lost, and with it those of the runs in flight; the "
            "same command makes them."
        ) from error
