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
from normbench.report import tables
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


def print_boards(records: Iterable[Record], format_: str) -> None:
    """The leaderboards of the records as "table", "md", "csv" or "json"."""
    found = boards(records)
    if format_ == "table":
        console = tables.console()
        console.print(tables.terminal(found, width=console.width))
    else:
        writers = {"md": tables.markdown, "csv": tables.csv, "json": tables.json_lines}
        click.echo(writers[format_](found), nl=False)


def print_problems(problems: Iterable[RecordError]) -> None:
    """Files that could not be read, on standard error."""
    for problem in problems:
        click.echo(f"Skipped: {problem}", err=True)
