"""The terms of the published boards: what runs must have in common with theirs to stand beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from ci.submission.breach import Breach, gathered, named
from normbench.analysis.frontier import network_key
from normbench.analysis.runs import planned_evaluations
from normbench.analysis.selection import Sortable, board_key, current, grouped, results, row_key
from normbench.analysis.tuning import tuning
from normbench.analysis.ways import Kind, commonest_seeds, kind
from normbench.campaigns.job import run_name
from normbench.errors import InvalidArgumentError
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import setting

# What of a row a submission may choose; in every other field that separates rows it must do as a published one does.
CHOSEN = (
    *("optimiser", "hyperparameters", "parametrisation", "schedule", "output_scale"),  # the way that is submitted
    *("backend", "device", "devices"),  # where it runs
    *("iterations", "judged_on"),  # have rules of their own
)
Files = Mapping[str, Sequence[Record]]  # by name
_AGAIN = "Make these runs again as docs/submissions.md says"


def minor_release(code_version: str) -> str:
    """``"0.1"`` of ``"0.1.0+ca63e8c50a9d"``: releases that differ in less make the same numbers.

    Raises
    ------
    InvalidArgumentError
        If the text begins with no such version.
    """
    try:
        version = Version(code_version.partition("+")[0])
    except InvalidVersion as error:
        raise InvalidArgumentError(
            f"code_version must begin with a version, such as 0.1.0+ca63e8c50a9d; got {code_version!r}."
        ) from error
    return f"{version.major}.{version.minor}"


@dataclass(frozen=True)
class Terms:
    """What the published runs of one task, split and network have.

    Attributes
    ----------
    boards : frozenset
        Keys of its boards, one a bound.
    data : str
        SHA-256 of the samples.
    releases : frozenset of str
        See :func:`minor_release`.
    values : mapping of str to set
        Of every field in which a submission must do as a published row does.
    lengths : mapping of Kind to set of float
        Evaluations that were planned, of mini-batches iterations, by how the run comes by its bound: those at a named
        bound are the budgets of the frontiers, and another length would begin a new frontier.
    seeds : frozenset of int
        Those that are judged.
    known_seeds : frozenset of int
        Those and the others that a published row has.
    """

    boards: frozenset[Sortable]
    data: str
    releases: frozenset[str]
    values: Mapping[str, set[Any]]
    lengths: Mapping[Kind, set[float]]
    seeds: frozenset[int]
    known_seeds: frozenset[int]


def terms_of(published: Sequence[Record]) -> dict[Sortable, Terms]:
    """The terms of every task, split and network among the published runs of a file."""
    return {key: _terms(current(runs)) for key, runs in grouped(results(published), network_key).items()}


def _terms(runs: Sequence[Record]) -> Terms:
    values: dict[str, set[Any]] = {}
    lengths: dict[Kind, set[float]] = {}
    for run in runs:
        lengths.setdefault(kind(run), set()).add(_length(run))
        for name, value in setting(run.request, Level.ROW, without=CHOSEN):
            values.setdefault(name, set()).add(value)
    seeds, others = commonest_seeds(rows_of(runs))
    return Terms(
        boards=frozenset(map(board_key, runs)),
        data=max(runs, key=lambda run: run.provenance.created).provenance.data_sha256,
        releases=frozenset(minor_release(run.provenance.code_version) for run in runs),
        values=values,
        lengths=lengths,
        seeds=frozenset(seeds),
        known_seeds=frozenset((*seeds, *others)),
    )


def rows_of(runs: Sequence[Record]) -> list[list[Record]]:
    """The rows of every board that show; values that a search has only tried have none."""
    rows = grouped(runs, lambda run: (board_key(run), row_key(run))).values()
    return [row for row in rows if tuning(row).rules]


def _length(record: Record) -> float:
    """Evaluations that a run was to make, of mini-batches iterations: what it made depends on how it ended."""
    return planned_evaluations(record) if record.request.batch_size is None else float(record.request.iterations)


def comparable(files: Files, published: Files) -> tuple[Breach, ...]:
    """Where the records of a file are not what the published ones of the file of that name can be compared with."""
    pairs = [(records, terms_of(published.get(name, ()))) for name, records in files.items()]
    differing = (found for records, terms in pairs for found in _differences(records, terms))
    return (*gathered(differing), *(breach for records, terms in pairs for breach in _seeds(records, terms)))


def _differences(records: Sequence[Record], terms: Mapping[Sortable, Terms]) -> Iterator[tuple[str, str, Record]]:
    for record in records:
        wanted, request = terms.get(network_key(record)), record.request
        if wanted is None or board_key(record) not in wanted.boards:
            yield "there is no published board of this task, split, network and bound", "Leave these runs out", record
            continue
        made = record.provenance
        if made.data_sha256 != wanted.data:
            what = f"data {made.data_sha256[:12]}, where the published runs on {request.task} have {wanted.data[:12]}"
            yield (
                what,
                f"Fetch the data that this normbench knows and run again: normbench data fetch {request.task}",
                record,
            )
        yield from ((*breach, record) for breach in _release(made.code_version, wanted))
        for name, value in setting(request, Level.ROW, without=CHOSEN):
            if value not in wanted.values[name]:
                yield f"{name} is {value}, and published are {named(wanted.values[name])}", _AGAIN, record
        lengths = wanted.lengths.get(kind(record), set())
        if _length(record) not in lengths:
            what = f"{_length(record):g} evaluations, and published are {named(lengths) or 'none'} ({kind(record)})"
            yield what, "Make them again with --iterations at one that is published", record


def _release(code_version: str, wanted: Terms) -> Iterator[tuple[str, str]]:
    try:
        release = minor_release(code_version)
    except InvalidArgumentError as error:
        yield str(error).rstrip("."), _AGAIN
        return
    if release not in wanted.releases:
        newest = named(wanted.releases)
        yield f"made with normbench {release}, and published are {newest}", f"Run again with normbench {newest}"


def _seeds(records: Sequence[Record], terms: Mapping[Sortable, Terms]) -> Iterator[Breach]:
    """Of every row the seeds that are missing, that nobody else has, or that are there twice."""
    for row in rows_of(current(results(records))):
        wanted = terms.get(network_key(row[0]))
        if wanted is None:
            continue
        found = [run.request.seed for run in row]
        where = f"the row of {run_name(row[0].request)}"
        if missing := wanted.seeds - {*found}:
            yield Breach(
                f"{where} lacks the seeds {named(missing)}",
                "Run them with the same code; what failed stays as a failed record",
            )
        if others := {*found} - wanted.known_seeds:
            yield Breach(f"{where} has the seeds {named(others)}, which no published row has", "Leave these runs out")
        if twice := {seed for seed in found if found.count(seed) > 1}:
            yield Breach(f"{where} has the seeds {named(twice)} more than once", "Export one record a run")
