"""How far a campaign is: what of it is done, running, failed or missing, and how long the rest may take."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain
from math import isfinite

from normbench.backends.trajectory import Status
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.plan import Plan
from normbench.machine import threads_per_run
from normbench.records.schema import Record
from normbench.records.versions import environment
from normbench.running.request import RunRequest


class State(StrEnum):
    """Of a run of a campaign."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class Standing:
    """How far a campaign is.

    Attributes
    ----------
    states : mapping of RunRequest to State
        Of every run that is known by now, in the plan's order. What a search has not asked for yet is none of them.
    failures : tuple of Record
        Those that failed and are not being made again.
    searches, open_searches : int
        All, and those that have not chosen a value yet: they may ask for more trials, then for runs at their choice.
    seconds : float or None
        How long it may take until all is done; 0.0 where it is, None where no run was made on this machine to judge by.
    timed : int
        Runs that were made on this machine, by which that is judged.
    at_once : int
        Runs that share the time.
    """

    states: Mapping[RunRequest, State]
    failures: tuple[Record, ...]
    searches: int
    open_searches: int
    seconds: float | None
    timed: int
    at_once: int

    @property
    def is_complete(self) -> bool:
        """True if every run is done; a search that has not chosen waits for one that is not."""
        return all(state is State.DONE for state in self.states.values())


def standing(plan: Plan, campaign: Campaign, *, running: Collection[str] = ()) -> Standing:
    """How far a plan is in a campaign's store; nothing is made, and nothing written.

    Parameters
    ----------
    plan : Plan
    campaign : Campaign
        Its store and samples, whether it keeps networks, and its workers, which share what is left.
    running : collection of str
        Names of the records that processes which live are making now.

    Raises
    ------
    DataError, DownloadError
        If the data cannot be had.
    """
    states: dict[RunRequest, State] = {}
    failures: list[Record] = []
    for request in plan.runs(campaign.find):
        record = campaign.find(request)
        if not campaign.is_due(request):
            states[request] = State.DONE
        elif campaign.record_id(request) in running:
            states[request] = State.RUNNING
        elif record is not None and record.outcome.status == Status.FAILED:
            states[request] = State.FAILED
            failures.append(record)
        else:
            states[request] = State.MISSING
    waiting = plan.open_searches(campaign.find)
    left = [request for request, state in states.items() if state is not State.DONE]
    left += chain.from_iterable(search.targets for search in waiting)  # at the values that they will choose
    done = (campaign.find(request) for request, state in states.items() if state is State.DONE)
    timed = [record for record in done if record is not None and _is_of_here(record)]
    at_once = campaign.workers_for(plan).at_once
    seconds = _seconds(left, _seconds_per_cost(timed), at_once)
    return Standing(states, tuple(failures), len(plan.searches), len(waiting), seconds, len(timed), at_once)


def _seconds(left: Collection[RunRequest], speeds: Mapping[str, float], jobs: int) -> float | None:
    """How long some runs take at least, so many at a time: their share of the whole, or the longest."""
    if not left:
        return 0.0
    if not speeds:
        return None
    others = sum(speeds.values()) / len(speeds)  # costs of backends are in one unit
    each = [estimated_cost(request) * speeds.get(request.backend, others) for request in left]
    return max(sum(each) / jobs, *each)


def _seconds_per_cost(records: Collection[Record]) -> dict[str, float]:
    """By backend, what a unit of :func:`estimated_cost` took."""
    sums: dict[str, tuple[float, float]] = {}
    for record in records:
        backend = record.request.backend
        seconds, cost = sums.get(backend, (0.0, 0.0))
        sums[backend] = seconds + _duration(record), cost + estimated_cost(record.request)
    return {backend: seconds / cost for backend, (seconds, cost) in sums.items() if seconds > 0}


def _duration(record: Record) -> float:
    """Seconds of the whole run, as far as they were noted."""
    made = record.outcome
    parts = made.seconds_train, made.seconds_compile, made.seconds_evaluate, made.seconds_transfer
    return sum(filter(isfinite, parts))


def _is_of_here(record: Record) -> bool:
    """True if it was made with the libraries, on the processor and with the threads of the present process."""
    made, run = record.provenance, record.request
    here = _here(run.backend, run.device)
    return made.threads == threads_per_run() and {name: made.environment.get(name) for name in here} == here


@cache
def _here(backend: str, device: str) -> dict[str, str]:
    return environment(backend, device)
