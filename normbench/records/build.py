"""From the outcome of a run to its record."""

from dataclasses import replace
from datetime import UTC, datetime

from normbench.data.dataset import Dataset
from normbench.records import plug_ins
from normbench.records.identity import identify
from normbench.records.record import UNTUNED, Provenance, Record, Tuned
from normbench.records.versions import environment, run_version
from normbench.running.request import RunRequest
from normbench.running.result import Outcome

_LONGEST_REASON = 2000


def request_id(request: RunRequest, data_sha256: str) -> str:
    """Identity that the record of this request has under the present code."""
    return identify(request, data_sha256=data_sha256, code_version=run_version(request))


def record_of(
    request: RunRequest,
    outcome: Outcome,
    dataset: Dataset,
    *,
    tuned: Tuned = UNTUNED,
    given: bool = False,
    jobs: int,
    threads: int,
) -> Record:
    """Record of a run, however it ended, made now by the present code on this machine.

    Parameters
    ----------
    request : RunRequest
    outcome : Outcome
    dataset : Dataset
        What the run was trained on.
    tuned : Tuned
        What the choice of the hyperparameters cost and covered.
    given : bool
        True if the user gave the value of what is searched.
    jobs : int
        Runs that were allowed at the same time; stored with the environment because it bears on the seconds.
    threads : int
        Threads that the run was allowed.
    """
    provenance = Provenance(
        simulated=dataset.simulated,
        data_sha256=dataset.sha256,
        code_version=run_version(request),
        **tuned._asdict(),
        given=given,
        plug_in=plug_ins.provenance(request.optimiser),
        threads=threads,
        environment=environment(request.backend, request.device) | {"jobs": str(jobs)},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Record(request, replace(outcome, reason=_legible(outcome.reason)), provenance)


def _legible(reason: str) -> str:
    """The reason as a record may hold it: of bounded length, every character one that can be printed."""
    kept = "".join(char if char in "\n\t" or char.isprintable() else "?" for char in reason)
    return kept if len(kept) <= _LONGEST_REASON else f"{kept[:_LONGEST_REASON]} ..."
