"""What commands write to standard output, and what they say about unreadable files beside it."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from normbench.errors import RecordError

if TYPE_CHECKING:
    from normbench.records.schema import Record
    from normbench.records.store import Store

FIGURES = "figures"  # sub-folder of a results folder
_NAMED = 20  # failed runs that are named one by one
_LISTS = "curves"  # of CSV no part: JSON has them


def print_records(records: "Sequence[Record]", store: "Store", format_: str) -> None:
    """One JSON object per record and line, every field of it, or CSV without the curves; what is missing is null."""
    rows = [record.as_dict() | {"record": str(store.path(record.record_id))} for record in records]
    if format_ == "json":
        for row in rows:
            click.echo(json.dumps(row, allow_nan=False))
        return
    table = [{name: _cell(value) for name, value in row.items() if name != _LISTS} for row in rows]
    columns = dict.fromkeys(name for row in table for name in row)
    writer = csv.DictWriter(sys.stdout, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)


def _cell(value: Any) -> Any:
    from normbench.networks.families import layers_text
    from normbench.records.formats import csv_text

    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return layers_text(value)
    return csv_text(value) if isinstance(value, str) else value


def print_boards(records: "Sequence[Record]", format_: str, *, target_rms: float | None = None) -> None:
    """The leaderboards of the records as "table", "md", "csv" or "json"; before the first two, frontiers.

    Parameters
    ----------
    records : sequence of Record
    format_ : str
    target_rms : float or None
        Training RMS to reach: adds what it takes, as tables after the boards, or as columns of "csv" and "json".

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    from normbench.analysis import leaderboard
    from normbench.papers.asgd.published import board_rows
    from normbench.presentation import boards, exports, targets, terminal

    found = leaderboard.boards(records, published=board_rows)
    if format_ in ("table", "md"):
        print_frontiers(records, format_)
    if format_ == "table":
        console = terminal.console()
        console.print(boards.terminal(found, width=console.width))
        if target_rms is not None:
            console.print(targets.targets_table(found, target_rms))
    elif format_ == "md":
        extra = "" if target_rms is None else "\n" + targets.targets_markdown(found, target_rms)
        click.echo(exports.markdown(found) + extra, nl=False)
    else:
        write = {"csv": exports.csv, "json": exports.json_lines}[format_]
        click.echo(write(found, target_rms), nl=False)


def print_frontiers(records: "Sequence[Record]", format_: str) -> bool:
    """The frontiers of the records as "table", "md", "csv" or "json"; False where no task has several bounds."""
    from normbench.analysis.frontier import frontiers
    from normbench.presentation import frontier_files, frontier_tables, terminal
    from normbench.presentation.across import across

    found = frontiers(records)
    if not found:
        return False
    if format_ == "table":
        console = terminal.console()
        console.print(frontier_tables.terminal(found, across(found), width=console.width))
    elif format_ == "md":
        click.echo(frontier_tables.markdown(found, across(found)))
    else:
        write = {"csv": frontier_files.csv, "json": frontier_files.json_lines}[format_]
        click.echo(write(found), nl=False)
    return True


def load(folder: Path) -> "list[Record]":
    """Records of a results folder, or of the folder that holds the records itself; problems go to standard error.

    Raises
    ------
    InvalidArgumentError
        If there is no record.
    """
    from normbench.records.store import Store, no_records

    records, problems = Store.within(folder).load_all()
    print_problems(problems)
    print_remarks(records)
    if not records:
        raise no_records(folder)
    return records


def print_failures(records: "Iterable[Record]", again: str = "The same command") -> bool:
    """Name the runs that failed, with reasons, and what makes them again, on standard error; True if there are any."""
    from normbench.backends.trajectory import Status
    from normbench.campaigns.job import run_name

    failed = [record for record in records if record.outcome.status == Status.FAILED]
    for record in failed[:_NAMED]:
        click.echo(f"Failed: {run_name(record.request)}: {record.outcome.reason}", err=True)
    if failed:
        more = f", of which {len(failed) - _NAMED} are not named here" if len(failed) > _NAMED else ""
        click.echo(f"{len(failed)} of the runs failed{more}. {again} makes them again.", err=True)
    return bool(failed)


def print_problems(problems: Iterable[RecordError]) -> None:
    """Files that could not be read, on standard error."""
    for problem in problems:
        click.echo(f"Skipped: {problem}", err=True)


def print_remarks(records: "Iterable[Record]") -> None:
    """Records that boards leave out or do not know, on standard error."""
    from normbench.presentation.captions import remarks

    for remark in remarks(records):
        click.echo(remark, err=True)
