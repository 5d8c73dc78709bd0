"""``normbench records``: records as one Parquet or CSV file, and back."""

from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_remarks
from normbench.writing import probe_file, probe_folder

_FILE = click.argument("file", type=options.UserPath(dir_okay=False))


@click.group("records")
def command() -> None:
    """Export and import records as one file.

    The ending chooses the format: .parquet, .csv or .csv.gz. Nothing is lost; in Python,
    normbench.load_records("normbench-results") gives the same table as a pandas DataFrame.

    \b
    Examples:
      normbench records export runs.parquet
      normbench records import runs.parquet --out elsewhere
    """


@command.command("export")
@_FILE
@options.out
def export(*, file: Path, out: Path) -> None:
    """Write every record of a results folder into FILE."""
    from normbench.records.frame import check_format, read_records, write_file

    check_format(file)
    probe_file(file)
    records = read_records(out)
    write_file(records, file)
    click.echo(f"{len(records)} records written to {file}.", err=True)


@command.command("import")
@_FILE
@options.out
def import_(*, file: Path, out: Path) -> None:
    """Add the records in FILE to a results folder.

    A run that the folder holds already stays as it is. Where FILE has another record of it, from another machine or
    at another time, that one goes into the sub-folder conflicts, is named, and the exit code is 1.
    """
    from normbench.records.frame import read_file
    from normbench.records.merge import merge
    from normbench.records.store import RECORDS, Store

    store = Store(out / RECORDS)
    probe_folder(store.directory)
    records = read_file(file)
    print_remarks(records)
    found = merge(records, store)
    for conflict in found.conflicts:
        click.echo(str(conflict), err=True)
    click.echo(
        f"{found.new} of {len(records)} records were new and are now in {store.directory}; {found.same} were there.",
        err=True,
    )
    if found.conflicts:
        raise click.exceptions.Exit(CHECK_FAILED)
