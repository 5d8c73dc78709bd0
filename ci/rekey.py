"""Stored records that a change of the code cannot have altered, under the present code version.

``python -m ci.rekey results/records.parquet --note "no arithmetic changed" --only 'adam/*' --except "*/torch/*"``

A record is named by its optimiser, backend and task; patterns as of file names. What --only names gets the present code
version; what --except names stays as it is, to be run again. Nothing is written where a record is named by neither, or
where the run is there already under the present version. Every record that gets the version says so in its environment,
under "rekeyed": the version that made it, and the note. Everything else in it stays as it was recorded.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from normbench.errors import InvalidArgumentError, NormbenchError
from normbench.records.frame import read_file, write_file
from normbench.records.schema import Record
from normbench.records.versions import run_version

REKEYED = "rekeyed"


def rekeyed(records: Sequence[Record], *, note: str, only: Sequence[str], left: Sequence[str]) -> list[Record]:
    """The records, those that ``only`` and not ``left`` names under the present code version.

    Raises
    ------
    InvalidArgumentError
        If the note is empty, a record of earlier code is named by neither, a pattern names none, or two records would
        be the same run.
    """
    if not note.strip():
        raise InvalidArgumentError("--note must say why the change cannot alter these numbers; got nothing.")
    earlier = [record for record in records if record.provenance.code_version != run_version(record.request)]
    unnamed = Counter(_name(record) for record in earlier if not _matches(record, (*only, *left)))
    if unnamed:
        found = ", ".join(f"{count} of {name}" for name, count in sorted(unnamed.items()))
        raise InvalidArgumentError(f"not told about {found}. Name them by --only, or by --except to leave them.")
    for pattern in (*only, *left):
        if not any(_matches(record, (pattern,)) for record in records):
            raise InvalidArgumentError(f"no record is named by {pattern!r}; names are optimiser/backend/task.")
    chosen = {id(record) for record in earlier if not _matches(record, left)}
    made = [_rekey(record, note) if id(record) in chosen else record for record in records]
    twice = [name for name, count in Counter(record.record_id for record in made).items() if count > 1]
    if twice:
        raise InvalidArgumentError(
            f"{len(twice)} runs are there under the present code already: {', '.join(twice[:3])}."
        )
    return made


def _name(record: Record) -> str:
    return f"{record.request.optimiser}/{record.request.backend}/{record.request.task}"


def _matches(record: Record, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(_name(record), pattern) for pattern in patterns)


def _rekey(record: Record, note: str) -> Record:
    before = [record.provenance.environment[REKEYED]] if REKEYED in record.provenance.environment else []
    said = "; ".join([*before, f"made by {record.provenance.code_version}: {note}"])
    version = run_version(record.request)
    environment = record.provenance.environment | {REKEYED: said}
    return replace(record, provenance=replace(record.provenance, code_version=version, environment=environment))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ci.rekey", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="exported records, rewritten in place")
    parser.add_argument("--note", required=True, help="why the change cannot alter these numbers")
    parser.add_argument("--only", action="append", default=[], metavar="OPTIMISER/BACKEND/TASK")
    parser.add_argument("--except", action="append", default=[], metavar="OPTIMISER/BACKEND/TASK", dest="left")
    given = parser.parse_args()
    # all of them before the first is written
    found = {path: rekeyed(read_file(path), note=given.note, only=given.only, left=given.left) for path in given.files}
    for path, records in found.items():
        write_file(records, path)
        new = sum(record.provenance.code_version == run_version(record.request) for record in records)
        print(f"{path}: {new} of {len(records)} records are of the present code.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NormbenchError as error:
        sys.exit(f"Error: {error}")
