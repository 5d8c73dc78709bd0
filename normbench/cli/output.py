"""What commands write to standard output, and what they say about unreadable files beside it."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from normbench.errors import RecordError
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.report import exports, tables, targets
from normbench.report.leaderboard import boards

FIELDS = (
    "task",
    "simulated",
    "optimiser",
    "hyperparameters",
    "backend",
    "device",
    "dtype",
    "seed",
    "iterations",
    "status",
    "train_rms",
    "test_rms",
    "train_loss",
    "test_loss",
    "unit",
    "lipschitz_bound",
    "lipschitz_measured",
    "seconds_train",
    "seconds_compile",
    "seconds_evaluate",
    "seconds_per_iteration",
    "loss_evaluations",
    "gradient_evaluations",
    "tuning_runs",
    "split",
    "layers",
    "reason",
)


def _fields(record: Record, store: Store) -> dict[str, Any]:
    everything = record.as_dict()
    return {name: everything[name] for name in FIELDS} | {"record": str(store.path(record.record_id))}


def print_records(records: Sequence[Record], store: Store, format_: str) -> None:
    """One JSON object per record and line, or CSV with a header; a missing figure is null or empty."""
    rows = [_fields(record, store) for record in records]
    if format_ == "json":
        for row in rows:
            click.echo(json.dumps(row, allow_nan=False))
        return
    writer = csv.DictWriter(sys.stdout, [*FIELDS, "record"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        texts = {"hyperparameters": json.dumps(row["hyperparameters"]), "layers": "-".join(map(str, row["layers"]))}
        writer.writerow(row | texts)


def print_boards(records: Sequence[Record], format_: str, *, target_rms: float | None = None) -> None:
    """The leaderboards of the records as "table", "md", "csv" or "json".

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
    found = boards(records)
    if format_ == "table":
        console = tables.console()
        console.print(tables.terminal(found, width=console.width))
        if target_rms is not None:
            console.print(targets.targets_table(found, records, target_rms))
    elif format_ == "md":
        extra = "" if target_rms is None else "\n" + targets.targets_markdown(found, records, target_rms)
        click.echo(exports.markdown(found) + extra, nl=False)
    else:
        write = {"csv": exports.csv, "json": exports.json_lines}[format_]
        click.echo(write(found, more=_target_fields(records, target_rms)), nl=False)


def _target_fields(records: Sequence[Record], target_rms: float | None) -> exports.Fields:
    if target_rms is None:
        return lambda row: {}
    by_name = {record.record_id: record for record in records}
    return lambda row: targets.fields(row, by_name, target_rms)


def print_problems(problems: Iterable[RecordError]) -> None:
    """Files that could not be read, on standard error."""
    for problem in problems:
        click.echo(f"Skipped: {problem}", err=True)
