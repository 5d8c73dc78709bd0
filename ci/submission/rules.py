"""The rules of a submission that need nothing of its code; docs/submissions.md says them in words."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ci.results import FRONTIER, RECORDS
from ci.submission.breach import Breach, Verdict, gathered, named
from ci.submission.metadata import Submission, read, taken
from ci.submission.terms import Files, comparable
from ci.submission.tuned import openly_tuned
from normbench.analysis.budget import refused
from normbench.analysis.selection import known, results, strange
from normbench.backends.trajectory import Status
from normbench.errors import NormbenchError
from normbench.presentation.quantities import exceeds
from normbench.records.frame import read_file
from normbench.records.schema import Record

FILES = (RECORDS, FRONTIER)


def checked(folder: Path, published_in: Path) -> tuple[list[Verdict], Submission | None, Files]:
    """The verdict on every rule that needs nothing of the submitted code, the submission, and its records by file.

    Parameters
    ----------
    folder : Path
        The submission.
    published_in : Path
        The folder of the published records.

    Raises
    ------
    RecordError
        If the published records cannot be read.
    """
    found = read(folder)
    if not isinstance(found, Submission):
        return [Verdict("metadata", "", tuple(found))], None, {}
    published = {name: read_file(published_in / name) for name in FILES if (published_in / name).exists()}
    runs, unreadable = _read(folder)
    return judged(found, runs, published, unreadable), found, runs


def judged(submission: Submission, runs: Files, published: Files, unreadable: Sequence[Breach] = ()) -> list[Verdict]:
    """The verdicts on a submission whose metadata could be read, by its records and the published ones."""
    names = {run.request.optimiser for records in published.values() for run in records}
    wrong = (*unreadable, *gathered(_wrong(submission, runs)), *_not_run(submission, runs))
    return [
        Verdict("metadata", _described(submission), tuple(taken(submission, names))),
        Verdict("records", f"{_count(runs)} that can be read, of what is named", wrong),
        *_of_runs({name: known(records) for name, records in runs.items()}, published),
    ]


def _of_runs(runs: Files, published: Files) -> Iterator[Verdict]:
    """The rules on records whose optimiser is declared."""
    yield Verdict("comparable", "the data, release, terms and seeds of the published", comparable(runs, published))
    yield Verdict("tuning", "every value is a default, or the best of trials in the file", openly_tuned(runs.values()))
    every = [record for records in runs.values() for record in results(records)]
    at_bounds = sum(record.request.lipschitz is not None for record in every)
    yield Verdict("bounds", f"{at_bounds} runs at a bound keep it", gathered(_unbounded(every)))


def _described(submission: Submission) -> str:
    said = submission.metadata
    return f"{said.title}: {', '.join(said.optimisers)} of {said.install}"


def _count(runs: Files) -> str:
    return " and ".join(f"{len(records)} records in {name}" for name, records in runs.items())


def _read(folder: Path) -> tuple[dict[str, list[Record]], list[Breach]]:
    """Records by file, and what cannot be read."""
    runs: dict[str, list[Record]] = {}
    wrong = []
    for name in FILES:
        if not (folder / name).exists():
            continue
        try:
            runs[name] = read_file(folder / name)
        except NormbenchError as error:
            wrong.append(Breach(str(error).rstrip("."), f"Write it with normbench records export {name}"))
    if not runs and not wrong:
        wrong.append(Breach(f"{folder} has neither {' nor '.join(FILES)}", "Export one: normbench records export"))
    return runs, wrong


def _wrong(submission: Submission, runs: Files) -> Iterator[tuple[str, str, Record]]:
    """Records of other optimisers or packages, that this normbench cannot show, or in the wrong file."""
    optimisers = submission.metadata.optimisers
    for name, record in ((name, record) for name, records in runs.items() for record in records):
        request = record.request
        if request.optimiser not in optimisers:
            yield f"{request.optimiser!r} is none of {named(optimisers)}", "Name it, or leave its runs out", record
        elif what := submission.misfit(record.provenance.plug_in):
            yield what, "Run again with what is installed so", record
        if what := strange(record):
            yield f"this normbench does not know {what}", "Run again with this normbench", record
        if name == RECORDS and not (request.lipschitz is None and request.output_scale is None):
            yield f"a run at a bound or a scale in {RECORDS}", f"Those belong into {FRONTIER}", record


def _not_run(submission: Submission, runs: Files) -> Iterator[Breach]:
    made = {record.request.optimiser for records in runs.values() for record in results(records)}
    for name in submission.metadata.optimisers:
        if name not in made:
            yield Breach(f"{name!r} has no run that was judged on a test set", "Run it, or leave its name out")


def _unbounded(runs: Sequence[Record]) -> Iterator[tuple[str, str, Record]]:
    """Files at a bound that is not proven, and runs that measured more than they prove."""
    remedy = "The optimiser, or what it runs through, does not keep the bound: repair it and run again"
    for run in runs:
        at_bound = run.request.lipschitz is not None and run.outcome.status not in (Status.DIVERGED, Status.FAILED)
        if at_bound and (lost := refused(run)):
            yield f"a run {lost} that was asked for", remedy, run
        if math.isfinite(run.outcome.proven_bound) and exceeds(run):
            yield "a gain was measured that is larger than the bound that was proven", remedy, run
