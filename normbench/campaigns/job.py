"""One run of a campaign: training and its record, in a worker process; the files, where the campaign is."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from normbench import backends
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.engine.reasons import last_line
from normbench.campaigns.samples import of_worker
from normbench.certificates.stored import StoredNetwork
from normbench.data.dataset import Dataset
from normbench.errors import BackendUnavailableError, OutputError
from normbench.records.build import record_of
from normbench.records.record import Tuned
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.running.request import RunRequest, setting
from normbench.running.result import Outcome
from normbench.specs import PlugIn, plug_ins
from normbench.specs.values import value_text


def run_name(run: RunRequest) -> str:
    """One run in a few words, for messages."""
    values = (f"{name}={value_text(v)}" for name, v in run.hyperparameters.items() if isinstance(v, float | tuple))
    return " ".join((run.optimiser, run.backend, f"seed {run.seed}", f"on {run.task}", *values))


class Made(NamedTuple):
    """What a run brings home: its record, and the trained network if that is to be kept."""

    record: Record
    network: StoredNetwork | None = None


@dataclass(frozen=True)
class RunJob:
    """One run, in a worker process that may have no file in common with who asks for it."""

    request: RunRequest
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

    @property
    def gpus(self) -> int:
        """How many GPUs a worker needs."""
        return 0 if self.request.device == "cpu" else self.request.devices

    def __call__(self) -> Made:
        """Train; what the optimiser or the network raises is a record, too.

        Raises
        ------
        BackendUnavailableError
            If backend or device are not there.
        DataError, DownloadError
            If the data cannot be had.
        """
        from normbench.running.run import run

        if self.plug_in is not None:
            plug_ins.adopt(self.request.optimiser, self.plug_in)
        dataset = of_worker(self.data_dir).of(self.request.task)
        backend = backends.get(self.request.backend)
        if backend.processor_devices is not None and not self.gpus:
            backend.processor_devices(self.request.devices)
        try:
            with plug_ins.quiet():
                result = run(self.request, dataset)
            record = self._record(result.outcome, dataset, threads=backend.threads())
            return Made(record, result.network if self.keep else None)
        except BackendUnavailableError:
            raise
        except (Exception, SystemExit) as error:  # a plug-in that exits ends no worker
            return Made(self.failed(dataset, last_line(error)))

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


def store_result(store: Store, made: Made) -> None:
    """Write a record and, before it, the network: a record says that all of its run is there.

    Raises
    ------
    OutputError
        If it cannot be written; the message names the run whose result that costs.
    """
    try:
        if made.network is not None:
            made.network.write(store.network_path(made.record.record_id))
        store.write(made.record)
    except OutputError as error:
        raise OutputError(
            f"{error} The result of {run_name(made.record.request)} is lost, and with it those of the runs in flight; "
            "the same command makes them."
        ) from error
