"""``normbench records``: records as one Parquet or CSV file and back, and those of several folders together."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from normbench.cli import options
from normbench.cli.choices import SuggestingGroup
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_remarks
from normbench.writing import probe_file, probe_folder

if TYPE_CHECKING:
    from normbench.records.schema import Record


@click.group("records", cls=SuggestingGroup)
def command() -> None:
    """Export and import records as one file, or merge folders.

    The ending chooses the format: .parquet, .csv or .csv.gz. Nothing is lost; in Python,
    normbench.load_records("normbench-results") gives the same table as a pandas DataFrame.

    \b
    Examples:
      normbench records export runs.parquet
      normbench records import runs.parquet --out elsewhere
      normbench records merge part1 part2 --out all
    """


@command.command("export")
@click.argument("file", type=options.UserPath(dir_okay=False))
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
@click.argument("file", type=options.UserPath(exists=True, dir_okay=False))
@options.out
def import_(*, file: Path, out: Path) -> None:
    """Add the records in FILE to a results folder.

    A run that the folder holds already stays as it is. Where FILE has another record of it, from another machine or
    at another time, that one goes into the sub-folder conflicts, is named, and the exit code is 1.
    """
    from normbench.records.frame import read_file

    _add([(file, read_file(file))], out)


@command.command("merge")
@click.argument("sources", type=options.UserPath(exists=True), nargs=-1, required=True, metavar="SOURCE...")
@options.out
def merge_(*, sources: Sequence[Path], out: Path) -> None:
    """Add what other results folders, or exported files, hold to a results folder.

    What several machines have made of one campaign, see normbench run --shard, comes together; networks that are kept
    go with their records. Everything is read before anything is written. What becomes of another record of a run that
    is there already: see normbench records import.
    """
    from normbench.records.frame import read_records

    _add([(source, read_records(source)) for source in sources], out)


def _add(found: "Sequence[tuple[Path, Sequence[Record]]]", out: Path) -> None:
    """Add records to a folder, source by source, and say what became of them; a conflict ends with exit code 1."""
    from normbench.records.merge import merge
    from normbench.records.store import Store

    store = Store.of_results(out)
    probe_folder(store.directory)
    print_remarks([record for _, records in found for record in records])
    conflicts = 0
    for source, records in found:
        merged = merge(records, store, Store.within(source) if source.is_dir() else None)
        for conflict in merged.conflicts:
            click.echo(str(conflict), err=True)
        click.echo(
            f"{source}: {merged.new} of {len(records)} records were new and are now in {store.directory}; "
            f"{merged.same} were there.",
            err=True,
        )
        conflicts += len(merged.conflicts)
    if conflicts:
        raise click.exceptions.Exit(CHECK_FAILED)
