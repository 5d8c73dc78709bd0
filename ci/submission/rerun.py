"""Some of the submitted runs, made again here by the submitted code: they must come out as the records say."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np

from ci.submission.breach import Breach, Verdict
from ci.submission.metadata import Submission
from ci.submission.terms import Files
from normbench.analysis.budget import refused
from normbench.analysis.selection import grouped, results
from normbench.backends.trajectory import Status
from normbench.campaigns.cost import estimated_cost
from normbench.campaigns.engine.reasons import last_line
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.running.request import DEVICES, Asked
from normbench.running.run import run

LOSSES, LOSS_TOLERANCE = 10, 1e-3  # of the first losses: float32 paths of other processors part later
RMS_TOLERANCE = 0.05  # of the test RMS at the end
_REMEDY = "Make the records with the code that install names, and with nothing else"


def made_again(submission: Submission, runs: Files) -> Verdict:
    """Of every file, optimiser, backend and task the cheapest run that ended, made again on this machine's CPU."""
    if submission.loose_folder:
        sys.path.insert(0, str(submission.loose_folder))
    breaches: list[Breach] = []
    count = 0
    for records in runs.values():
        for group in grouped(results(records), _code_path).values():
            ended = [record for record in group if record.outcome.status in (Status.DONE, Status.STALLED)]
            if not ended:
                breaches.append(Breach("none of these runs came to an end", "A row needs one that does", tuple(group)))
                continue
            cheapest = min(ended, key=lambda record: (estimated_cost(record.request), record.request.seed))
            breaches += (Breach(what, _REMEDY, (cheapest,)) for what in _differences(cheapest))
            count += 1
    return Verdict("rerun", f"{count} runs came out as recorded", tuple(breaches))


def _code_path(record: Record) -> tuple[str, str, str]:
    return record.request.optimiser, record.request.backend, record.request.task


def _differences(record: Record) -> Iterator[str]:
    """What differs where the run is made again."""
    try:
        again = _again(record)
    except (Exception, SystemExit) as error:  # whatever the submitted code raises; one that exits ends no check
        yield f"the run cannot be made again: {last_line(error).rstrip('.')}"
        return
    if again.provenance.data_sha256 != record.provenance.data_sha256:
        yield "the data are others here"
        return
    yield from _parted(record.outcome.curves.loss, again.outcome.curves.loss)
    said, found = record.outcome.test_rms, again.outcome.test_rms
    if not math.isclose(said, found, rel_tol=RMS_TOLERANCE):
        yield f"the test RMS is {found:.6g} here and {said:.6g} in the record, more than {RMS_TOLERANCE:.0%} apart"
    if record.request.lipschitz is not None and (lost := refused(again)):
        yield f"the run is {lost} here"


def _again(record: Record) -> Record:
    """The run as it comes out here.

    Raises
    ------
    InvalidArgumentError
        If the installed optimiser is declared otherwise than the record says.
    """
    asked = Asked(**{f.name: getattr(record.request, f.name) for f in fields(Asked)} | {"device": DEVICES[0]})
    dataset = tasks.get(asked.task).dataset()
    request = asked.resolved()
    provenance = replace(record.provenance, data_sha256=dataset.sha256)
    return Record(request, run(request, dataset).outcome, provenance)


def _parted(said: Sequence[float], found: Sequence[float]) -> Iterator[str]:
    """Where the first losses part."""
    if len(said) != len(found):
        yield f"{len(found)} losses here and {len(said)} in the record"
    pairs = zip(said[:LOSSES], found[:LOSSES], strict=False)
    for k, (theirs, ours) in enumerate(pairs):
        if not np.isclose(ours, theirs, rtol=LOSS_TOLERANCE, atol=0.0):
            yield f"loss {k} is {ours:.6g} here and {theirs:.6g} in the record, more than {LOSS_TOLERANCE:g} apart"
            return
