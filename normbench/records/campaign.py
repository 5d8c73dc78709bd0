"""Making every run of a plan that is not yet on disk, in parallel, so that a kill costs the runs in flight only."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from normbench import tasks
from normbench.data.dataset import Dataset
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.networks.operations import multiply_adds, outputs
from normbench.records.build import failed_record, finished_record, request_id
from normbench.records.plan import Plan, Search
from normbench.records.pool import Outcome, Pool, last_line
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.training.request import RunRequest
from normbench.trajectory import Status

_STARTUP_COST = 5e9  # a run's fixed share in units of `estimated_cost`: about the price of 20 small iterations
_PER_OUTPUT = 50.0  # what it costs to write and read a number, in multiplications: small networks do little else
_SLOWNESS = {"reference": 5.0}


def estimated_cost(request: RunRequest) -> float:
    """Rough duration of a run in arbitrary units: iterations times samples times the network's own count of operations.

    Of declarations alone, no data are read. A network that cannot be built costs next to nothing, as its run fails.
    """
    task = tasks.get(request.task)
    try:
        network = task.declared_network(request.layers)
        work = multiply_adds(network) + _PER_OUTPUT * outputs(network)
    except InvalidArgumentError:
        return _STARTUP_COST
    samples = request.batch_size or task.source_info.samples
    return _STARTUP_COST + _SLOWNESS.get(request.backend, 1.0) * request.iterations * samples * work


@cache
def _dataset(task: str, data_dir: Path | None) -> Dataset:
    return tasks.get(task).dataset(data_dir)


@dataclass(frozen=True)
class RunJob:
    """One run and the writing of its record, in a worker process."""

    request: RunRequest
    directory: Path
    data_dir: Path | None
    tuning_runs: int
    jobs: int
    threads: int

    @property
    def cost(self) -> float:
        """See :func:`estimated_cost`."""
        return estimated_cost(self.request)

    @property
    def family(self) -> object:
        """What has to be compiled anew when it changes."""
        r = self.request
        return r.backend, r.optimiser, r.layers, r.device, r.dtype, r.iterations

    def __call__(self) -> Record:
        """Train, and have the record on disk before anyone is told."""
        from normbench.training.run import run

        dataset = _dataset(self.request.task, self.data_dir)
        try:
            result = run(self.request, dataset)
            record = finished_record(result, dataset, tuning_runs=self.tuning_runs, jobs=self.jobs)
        except BackendUnavailableError:
            raise
        except Exception as error:
            record = self.failed(dataset, last_line(error))
        Store(self.directory).write(record)
        return record

    def failed(self, dataset: Dataset, reason: str) -> Record:
        """The record to write when the run gave no result."""
        return failed_record(
            self.request,
            dataset,
            reason=reason,
            tuning_runs=self.tuning_runs,
            jobs=self.jobs,
            threads=self.threads,
        )


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
    data_dir : Path or None
        Folder of data files given by the user.
    jobs : int
        Runs at the same time; each gets cores // jobs threads, at least one.
    on_progress : callable
        Receives a :class:`Tally` whenever a run ends.
    """

    store: Store
    data_dir: Path | None = None
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    on_progress: Callable[[Tally], None] = lambda tally: None
    _tally: Tally = field(default=Tally(0, 0, 0.0, 0.0), init=False)

    @property
    def threads(self) -> int:
        """Threads per run."""
        return max(1, (os.cpu_count() or 1) // self.jobs)

    def run(self, plan: Plan) -> list[Record]:
        """Make what is missing and return the record of every run of the plan, each once, in the plan's order.

        Runs that are done, stalled or diverged are not made again; failed ones are.

        Raises
        ------
        BackendUnavailableError
            If a backend or device is not there.
        DataError, DownloadError
            If the data cannot be had.
        KeyboardInterrupt
            On Ctrl-C, after every worker has ended; the store holds what was finished.
        """
        self.store.sweep()
        first = [*plan.requests, *(trial for search in plan.searches for trial in search.trials())]
        with Pool(self.jobs, self.threads) as pool:
            self._announce(self._missing(first) + self._expected(plan.searches, first))
            self._make(pool, dict.fromkeys(first, 0))
            tuned = self._tuned(plan.searches)
            self._announce(self._missing(tuned))
            self._make(pool, tuned)
        self._mark(plan.searches, tuned)
        found = (self.find(request) for request in dict.fromkeys([*first, *tuned]))
        return [record for record in found if record is not None]

    def find(self, request: RunRequest) -> Record | None:
        """The record of a request under the present code and data, if there is a readable one."""
        return self.store.find(request_id(request, _dataset(request.task, self.data_dir).sha256))

    def _missing(self, requests: Iterable[RunRequest]) -> list[RunRequest]:
        found = {request: self.find(request) for request in dict.fromkeys(requests)}
        return [request for request, record in found.items() if record is None or record.status == Status.FAILED]

    def _expected(self, searches: Iterable[Search], first: Iterable[RunRequest]) -> list[RunRequest]:
        """Runs that the searches will bring; before a search has ended, as many at its default value."""
        expected: list[RunRequest] = []
        for search in searches:
            best = best_value(search, self.find)
            expected += search.targets[1:] if best is None else self._missing({*search.at(best)}.difference(first))
        return expected

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
                data_dir=self.data_dir,
                tuning_runs=tuning_runs[request],
                jobs=self.jobs,
                threads=self.threads,
            )
            for request in self._missing(tuning_runs)
        ]
        pool.run(jobs, self._finished)

    def _finished(self, outcome: Outcome) -> None:
        record = outcome.value
        if outcome.error is not None:
            raise outcome.error
        if outcome.died:
            job: RunJob = outcome.job
            record = job.failed(_dataset(job.request.task, self.data_dir), outcome.died)
            self.store.write(record)
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
        return {
            request: len(search.grid)
            for search, value in best.items()
            if value is not None
            for request in search.at(value)
        }

    def _mark(self, searches: Iterable[Search], tuned: Mapping[RunRequest, int]) -> None:
        """Write into the records what the search made of them; runs that it did not choose cost nothing."""
        for search in searches:
            for value in {*search.grid, dict(search.trial.hyperparameters)[search.name]}:
                for request in search.at(value):
                    record, cost = self.find(request), tuned.get(request, 0)
                    if record is not None and record.tuning_runs != cost:
                        self.store.write(replace(record, tuning_runs=cost))


def best_value(search: Search, find: Callable[[RunRequest], Record | None]) -> float | None:
    """The value of the grid with the lowest final training RMS, never chosen by the test error.

    None if a trial is missing or no trial gave a finite result; failed and diverged trials are passed over.
    """
    records = [find(trial) for trial in search.trials()]
    if any(record is None for record in records):
        return None
    scores = {
        value: record.train_rms
        for value, record in zip(search.grid, records, strict=True)
        if record is not None and record.status in (Status.DONE, Status.STALLED) and np.isfinite(record.train_rms)
    }
    return min(scores, key=lambda value: scores[value]) if scores else None
