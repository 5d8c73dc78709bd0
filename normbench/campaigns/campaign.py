"""Making every run of a plan that is not yet on disk, in parallel, so that a kill costs the runs in flight only."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from normbench import backends
from normbench.backends.trajectory import Status
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.plan import Plan, Search
from normbench.campaigns.pool import Outcome as JobOutcome
from normbench.campaigns.pool import Pool, last_line
from normbench.campaigns.samples import Samples, of_worker
from normbench.data.dataset import Dataset
from normbench.errors import BackendUnavailableError, OutputError
from normbench.machine import cores, threads_per_run
from normbench.records.build import record_of, request_id
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.running.request import RunRequest, setting
from normbench.running.result import Outcome
from normbench.writing import probe_folder


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
    tuning_runs: int
    jobs: int
    threads: int
    keep: bool = False  # the trained network, too

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
        return record_of(self.request, outcome, dataset, tuning_runs=self.tuning_runs, jobs=self.jobs, threads=threads)


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


@dataclass(frozen=True)
class Tally:
    """How far a campaign is: runs, and their estimated cost in arbitrary units.

    ``record`` is the run that has just ended, or None at the start.
    """

    runs_done: int
    runs_total: int
    cost_done: float
    cost_total: float
    record: Record | None = None


@dataclass
class Campaign:
    """Runs plans into a store.

    Attributes
    ----------
    store : Store
    samples : Samples
        The data sets of this process; workers load their own from the same folder.
    jobs : int
        Runs at the same time; the results do not depend on it, because each run has the same number of threads.
    on_progress : callable
        Receives a :class:`Tally` whenever a run ends.
    on_remark : callable
        Receives a line of text about what a user would not expect: a search that chooses no value.
    keep_networks : bool
        True to keep the trained network of every run beside its record, see :mod:`normbench.certificates.stored`; a run
        whose network is not there is made again.
    """

    store: Store
    samples: Samples = field(default_factory=Samples)
    jobs: int = field(default_factory=cores)
    on_progress: Callable[[Tally], None] = lambda tally: None
    on_remark: Callable[[str], None] = lambda text: None
    keep_networks: bool = False
    _tally: Tally = field(default=Tally(0, 0, 0.0, 0.0), init=False)

    def run(self, plan: Plan) -> list[Record]:
        """Make what is missing and return the record of every run of the plan, each once, in the plan's order.

        Runs that are done, stalled or diverged are not made again; failed ones are.

        Raises
        ------
        BackendUnavailableError
            If a backend or device is not there.
        DataError, DownloadError
            If the data cannot be had.
        OutputError
            If the store cannot be written, before anything is trained where that is so from the beginning.
        KeyboardInterrupt
            On Ctrl-C, after every worker has ended; the store holds what was finished.
        """
        probe_folder(self.store.directory)
        self.store.sweep()
        first = [*plan.requests, *(trial for search in plan.searches for trial in search.trials())]
        with Pool(self.jobs, threads_per_run()) as pool:
            self._announce(self._missing(first) + self._expected(plan.searches, first))
            self._make(pool, dict.fromkeys(first, 0))
            self._make(pool, dict.fromkeys(self._failed_trials(plan.searches), 0))
            tuned = self._tuned(plan.searches)
            self._announce(self._missing(tuned))
            self._make(pool, tuned)
        self._mark(plan.searches, tuned)
        found = (self.find(request) for request in dict.fromkeys([*first, *tuned]))
        return [record for record in found if record is not None]

    def find(self, request: RunRequest) -> Record | None:
        """The record of a request under the present code and data, if there is a readable one."""
        return self.store.find(request_id(request, self.samples.of(request.task).sha256))

    def _missing(self, requests: Iterable[RunRequest]) -> list[RunRequest]:
        found = {request: self.find(request) for request in dict.fromkeys(requests)}
        return [request for request, record in found.items() if record is None or self._is_due(record)]

    def _is_due(self, record: Record) -> bool:
        """True if the run failed, or its network is to be kept and is not there."""
        if record.outcome.status == Status.FAILED:
            return True
        kept = self.keep_networks and bool(record.outcome.certified_by)
        return kept and not self.store.network_path(record.record_id).is_file()

    def _expected(self, searches: Iterable[Search], first: Iterable[RunRequest]) -> list[RunRequest]:
        """Runs that the searches will bring; before a search has ended, as many at its default value."""
        expected: list[RunRequest] = []
        for search in searches:
            best = best_value(search, self.find)
            expected += search.targets[1:] if best is None else self._missing({*search.at(best)}.difference(first))
        return expected

    def _failed_trials(self, searches: Iterable[Search]) -> list[RunRequest]:
        """Trials that failed or whose worker died; they get a second chance, as memory may have run out by accident."""
        again = [
            trial
            for search in searches
            for trial in search.trials()
            if (record := self.find(trial)) is not None and record.outcome.status == Status.FAILED
        ]
        if again:
            self._announce(again)
        return again

    def _announce(self, pending: list[RunRequest]) -> None:
        self._tally = replace(
            self._tally,
            runs_total=self._tally.runs_done + len(pending),
            cost_total=self._tally.cost_done + sum(map(estimated_cost, pending)),
            record=None,
        )
        self.on_progress(self._tally)

    def _make(self, pool: Pool, tuning_runs: Mapping[RunRequest, int]) -> None:
        jobs = [
            RunJob(
                request=request,
                directory=self.store.directory,
                data_dir=self.samples.data_dir,
                tuning_runs=tuning_runs[request],
                jobs=self.jobs,
                threads=threads_per_run(),
                keep=self.keep_networks,
            )
            for request in self._missing(tuning_runs)
        ]
        pool.run(jobs, self._finished)

    def _finished(self, outcome: JobOutcome) -> None:
        record = outcome.value
        if outcome.error is not None:
            raise outcome.error
        if outcome.died:
            job: RunJob = outcome.job
            record = job.failed(self.samples.of(job.request.task), outcome.died)
            store_result(self.store, record)
        self._tally = replace(
            self._tally,
            runs_done=self._tally.runs_done + 1,
            cost_done=self._tally.cost_done + outcome.job.cost,
            record=record,
        )
        self.on_progress(self._tally)

    def _tuned(self, searches: Iterable[Search]) -> dict[RunRequest, int]:
        """Runs at the best values, each with what the search cost."""
        best = {search: best_value(search, self.find) for search in searches}
        for search, value in best.items():
            if value is None:
                trial = search.trial
                self.on_remark(
                    f"No {search.name} is chosen for {trial.optimiser} on {trial.task} ({trial.backend}): not every "
                    "value of its grid gave a result that could be compared."
                )
        return {
            request: len(search.grid)
            for search, value in best.items()
            if value is not None
            for request in search.at(value)
        }

    def _mark(self, searches: Iterable[Search], tuned: Mapping[RunRequest, int]) -> None:
        """Write into the records what the search made of them; runs that it did not choose cost nothing."""
        for search in searches:
            for value in {*search.grid, search.trial.hyperparameters[search.name]}:
                for request in search.at(value):
                    record, cost = self.find(request), tuned.get(request, 0)
                    if record is not None and record.provenance.tuning_runs != cost:
                        self.store.write(replace(record, provenance=replace(record.provenance, tuning_runs=cost)))


def best_value(search: Search, find: Callable[[RunRequest], Record | None]) -> float | None:
    """The value of the grid with the lowest final training RMS, never chosen by the test error.

    None if a trial is missing or failed, because it might have been the best one, or if no trial gave a finite result.
    Trials that diverged are results and lose.
    """
    records = [find(trial) for trial in search.trials()]
    if any(record is None or record.outcome.status == Status.FAILED for record in records):
        return None
    scores = {
        value: record.outcome.train_rms
        for value, record in zip(search.grid, records, strict=True)
        if record is not None
        and record.outcome.status in (Status.DONE, Status.STALLED)
        and np.isfinite(record.outcome.train_rms)
    }
    return min(scores, key=lambda value: scores[value]) if scores else None
