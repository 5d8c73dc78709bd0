"""``normbench report``: everything stored, as one HTML page."""

from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.leaderboard import load
from normbench.cli.output import print_remarks
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.records.frame import read_file
from normbench.records.schema import Record
from normbench.records.store import RECORDS

_PAGE = "report.html"


@click.command("report")
@options.out
@click.option(
    "--records",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
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
    records = _stored(out) if file is None else _exported(file)
    try:
        from normbench.report.page import report_page
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            f'the page needs {error.name}, which is not installed: pip install "normbench[report]"'
        ) from error
    if file is None:
        page, text = out / _PAGE, report_page(records)
    else:
        page, text = file.with_name(_PAGE), report_page(records, record_link=lambda _: file.name)
    page.write_text(text, encoding="utf-8")
    click.echo(page)


def _exported(file: Path) -> list[Record]:
    records = read_file(file)
    print_remarks(records)
    return records


def _stored(out: Path) -> list[Record]:
    if not (out / RECORDS).is_dir():
        raise InvalidArgumentError(f"there is no folder {out / RECORDS}. Make it: normbench run --out {out}.")
    return load(out)
