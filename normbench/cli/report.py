"""``normbench report``: everything stored, as one HTML page."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from normbench.cli import options
from normbench.cli.output import load, print_remarks
from normbench.errors import InvalidArgumentError
from normbench.presentation.libraries import drawing_libraries
from normbench.writing import probe_file, write_text

if TYPE_CHECKING:
    from normbench.records.schema import Record

_PAGE = "report.html"


@click.command("report")
@options.out
@click.option(
    "--records",
    "file",
    type=options.UserPath(exists=True, dir_okay=False),
    help="File of exported records to report on, instead of the folder of the results; the page is written beside it.",
)
def command(*, out: Path, file: Path | None) -> None:
    """Write everything stored as one HTML page.

    The page, report.html in the folder of the results, needs no network and no server. It holds the leaderboards,
    learning curves, what a target costs, accuracy against the Lipschitz bound, and for every row the command that
    makes it again; its links lead to the records beside it.

    \b
    Examples:
      normbench report
      normbench report --out my-results
      normbench report --records results/records.parquet
    """
    if file is not None and click.get_current_context().get_parameter_source("out") is ParameterSource.COMMANDLINE:
        raise InvalidArgumentError(
            f"--records {file} has its page written beside it, and --out {out} is elsewhere. Leave one of them out."
        )
    page = out / _PAGE if file is None else file.with_name(_PAGE)
    records = _stored(out) if file is None else _imported(file)
    probe_file(page)
    with drawing_libraries("the page"):
        from normbench.presentation.page import report_page
    text = report_page(records) if file is None else report_page(records, record_link=lambda _: file.name)
    write_text(page, text)
    click.echo(page)


def _stored(out: Path) -> "list[Record]":
    from normbench.records.store import RECORDS

    if not (out / RECORDS).is_dir():
        command = shlex.join(["normbench", "run", "--out", str(out)])
        raise InvalidArgumentError(f"there is no folder {out / RECORDS}. Make it: {command}")
    return load(out)


def _imported(file: Path) -> "list[Record]":
    from normbench.records.frame import read_file

    records = read_file(file)
    print_remarks(records)
    return records
