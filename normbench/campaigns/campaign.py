"""Making every run of a plan that is not yet on disk, in parallel, so that a kill costs the runs in flight only."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

from normbench.backends.trajectory import Status
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.jobs import Outcome as JobOutcome
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.job import Made, RunJob, run_name, store_result
from normbench.campaigns.plan import AnySearch, Plan
from normbench.campaigns.samples import Samples
from normbench.campaigns.table_copies import copies
from normbench.data.splits import TEST
from normbench.errors import WorkerError
from normbench.records.build import request_id
from normbench.records.claims import Claims
from normbench.records.record import Tuned
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.records.versions import contradictions, environment
from normbench.running.request import RunRequest
from normbench.specs import SPECS, plug_ins
from normbench.specs.values import grid_text
from normbench.writing import probe_folder

_TRIES = 2  # of a trial in one campaign
_POLL_SECONDS = 1.0  # between two looks at what others have made


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
        The data sets of this process; workers load their own.
    workers : Workers
        Where the runs are made: processes of this machine, or workers of a dask cluster. They return what they made,
        which is written here.
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
    workers: Workers = field(default_factory=Workers)
    on_progress: Callable[[Tally], None] = lambda tally: None
    on_remark: Callable[[str], None] = lambda text: None
    keep_networks: bool = False
    _tally: Tally = field(default=Tally(0, 0, 0.0, 0.0), init=False)
    _told: set[str] = field(default_factory=set, init=False, repr=False)
    _given: set[RunRequest] = field(default_factory=set, init=False, repr=False)
    _ended: dict[RunRequest, Record] = field(default_factory=dict, init=False, repr=False)  # read once a campaign

    def run(self, plan: Plan) -> list[Record]:
        """Make what is missing and return the record of every run of the plan, each once, in the plan's order.

        Runs that are done, stalled or diverged are not made again; failed ones are, and trials of a search that fail
        once more: memory may have run out by accident.

        Raises
        ------
        BackendUnavailableError
            If a backend or device is not there.
        DataError, DownloadError
            If the data cannot be had.
        OutputError
            If the store cannot be written, before anything is trained where that is so from the beginning.
        WorkerError
            If the workers are others' and cannot be had, have gone, or have another normbench or other data.
        KeyboardInterrupt
            On Ctrl-C, after every worker has ended; the store holds what was finished.
        """
        probe_folder(self.store.directory)
        self.store.sweep()
        self._ended.clear()
        self._given = set(plan.given)
        tries: Counter[RunRequest] = Counter()
        tables = None if self.workers.is_local else copies(request.task for request in plan.requests)
        with Engine(self.workers_for(plan), self.on_remark, tables) as engine, Claims(self.store) as claims:
            due = self._due(plan, tries)
            while due:
                started = self._make(engine, claims, due)
                tries.update(started)
                if not started:
                    self._wait(claims)
                due = self._due(plan, tries)
        for search in plan.searches:
            self._conclude(search)
        for request in plan.given:
            self._mark(request, given=True)
        found = [self.find(request) for request in plan.runs(self.find)]
        return [record for record in found if record is not None]

    def workers_for(self, plan: Plan) -> Workers:
        """The workers with room for each run of a plan: those that are spread over devices need more of a process."""
        return replace(self.workers, devices=plan.devices)

    def find(self, request: RunRequest) -> Record | None:
        """The record of a request under the present code and data, if there is a readable one."""
        if request not in self._ended:
            found = self.store.find(self.record_id(request))
            if found is None:
                return None
            self._ended[request] = found
        return self._ended[request]

    def record_id(self, request: RunRequest) -> str:
        """What the record of a request is called under the present code and data."""
        return request_id(request, self.samples.of(request.task).sha256)

    def _due(self, plan: Plan, tries: Mapping[RunRequest, int]) -> dict[RunRequest, Tuned]:
        """The runs to make next: of every search its trials, or those at the value that it has chosen."""
        due = {
            request: tuned
            for request, tuned in plan.runs(self.find).items()
            if self.is_due(request) and tries[request] < (1 if request.judged_on == TEST else _TRIES)
        }
        later = (search.targets for search in plan.open_searches(self.find) if due)
        self._announce([*due, *chain.from_iterable(later)])
        return due

    def is_due(self, request: RunRequest) -> bool:
        """True if the run is missing or failed, or its network is to be kept and is not there."""
        record = self.find(request)
        if record is None or record.outcome.status == Status.FAILED:
            return True
        kept = self._keeps(request) and bool(record.outcome.certified_by)
        return kept and not self.store.network_path(record.record_id).is_file()

    def _keeps(self, request: RunRequest) -> bool:
        """True if the trained network is kept; those of trials are of no use."""
        return self.keep_networks and request.judged_on == TEST

    def _announce(self, pending: Sequence[RunRequest]) -> None:
        self._tally = replace(
            self._tally,
            runs_total=self._tally.runs_done + len(pending),
            cost_total=self._tally.cost_done + sum(map(estimated_cost, pending)),
            record=None,
        )
        self.on_progress(self._tally)

    def _make(self, engine: Engine, claims: Claims, due: Mapping[RunRequest, Tuned]) -> set[RunRequest]:
        """Make what no other client on this folder makes; return what that is."""
        engine.start(len(due))
        beside = engine.runs_beside()
        jobs = [
            RunJob(
                request=request,
                data_dir=self.samples.data_dir,
                tuned=tuned,
                jobs=beside,
                threads=self.workers.threads,
                keep=self._keeps(request),
                given=request in self._given,
                plug_in=None if request.optimiser in SPECS else plug_ins.get(request.optimiser),
            )
            for request, tuned in due.items()
        ]
        left_out = engine.run(jobs, partial(self._finished, claims), partial(self._may_start, claims))
        return {*due} - {job.request for job in left_out}

    def _may_start(self, claims: Claims, job: RunJob) -> bool:
        """True if the run is ours to make; another client may have it, or have made it since we looked."""
        record_id = self.record_id(job.request)
        if not claims.take(record_id):
            return False
        record = self.store.find(record_id)
        if record is None or record == self._ended.get(job.request):
            return True
        self._ended[job.request] = record
        claims.release(record_id)
        return False

    def _wait(self, claims: Claims) -> None:
        """A moment, while others make the rest."""
        for owner in {holder.owner for holder in claims.held_by_others().values()}:
            self._tell(f"Waiting for runs that process {owner.process} on {owner.host} makes in this folder.")
        time.sleep(_POLL_SECONDS)

    def _finished(self, claims: Claims, outcome: JobOutcome) -> None:
        if outcome.error is not None:
            raise outcome.error
        job: RunJob = outcome.job
        made = outcome.value or Made(job.failed(self.samples.of(job.request.task), outcome.died))
        self._check_same(job.request, made.record)
        self._mention_libraries(made.record)
        store_result(self.store, made)
        claims.release(made.record.record_id)
        self._ended[job.request] = made.record
        self._tally = replace(
            self._tally,
            runs_done=self._tally.runs_done + 1,
            cost_done=self._tally.cost_done + job.cost,
            record=made.record,
        )
        self.on_progress(self._tally)

    def _check_same(self, request: RunRequest, record: Record) -> None:
        """Raise unless the worker made what this process means by the request."""
        if record.record_id != self.record_id(request):
            theirs, ours = record.provenance, self.samples.of(request.task).sha256
            what = "other data" if theirs.data_sha256 != ours else f"another normbench, {theirs.code_version}"
            raise WorkerError(
                f"a worker has {what} for {run_name(request)}: its result is not what was asked for and is not stored. "
                "Install the same version there, and give it the same files."
            )

    def _mention_libraries(self, record: Record) -> None:
        """Say it if a worker has other versions than this process: boards show only one set of them in a row."""
        theirs, backend = record.provenance.environment, record.request.backend
        ours = environment(backend)
        for name in contradictions(ours, theirs, backend):
            self._tell(
                f"A worker has {name} {theirs[name]}, and this process {ours[name]}: the records say so, and a row of "
                "a board shows the runs of one version only. Install the same everywhere."
            )

    def _tell(self, text: str) -> None:
        """Once."""
        if text not in self._told:
            self._told.add(text)
            self.on_remark(text)

    def _conclude(self, search: AnySearch) -> None:
        """Write into the records what the search made of them; where it chose no value, say so."""
        for request, tuned in search.marks(self.find).items():
            self._mark(request, **tuned._asdict())
        last, state = search.stages(self.find)[-1]
        if state.best is None:
            reason = "a trial failed" if state.waiting else "none gave a finite error on every seed"
            trial, values = last.trial, ", ".join(grid_text([value]) for value in state.tried)
            where = f"{trial.optimiser} on {trial.task} ({trial.backend})"
            self.on_remark(f"No {last.name} is chosen for {where}, of {values}: {reason}.")

    def _mark(self, request: RunRequest, **said: Any) -> None:
        """Say it in the record of the run, where it does not say so."""
        record = self.find(request)
        marked = record and replace(record.provenance, **said)
        if record and marked and marked != record.provenance:
            self._ended[request] = replace(record, provenance=marked)
            self.store.write(self._ended[request])
