"""``normbench data``: fetch, check and describe data sets."""

from pathlib import Path

import click

from normbench import data
from normbench.cli import options
from normbench.cli.choices import MarkedChoice, SuggestingGroup
from normbench.cli.errors import CHECK_FAILED
from normbench.data.dataset import TABLE_MARK, origin
from normbench.presentation.terminal import console, plain_table

_NAME = click.argument("name", type=MarkedChoice(list(data.SOURCES), TABLE_MARK))


@click.group("data", cls=SuggestingGroup)
def command() -> None:
    """Fetch, verify and describe data sets.

    \b
    Examples:
      normbench data info neural-fly
      normbench data fetch mnist
      normbench data verify neural-fly --data-dir ~/neural_fly
    """


@command.command("fetch")
@_NAME
def fetch(*, name: str) -> None:
    """Download a data set, or generate a simulated one, into the cache, unless NORMBENCH_DATA has it."""
    for path in data.fetch(name):
        click.echo(path)


@command.command("verify")
@_NAME
@options.data_dir
def verify(*, name: str, data_dir: Path | None) -> None:
    """Check what the files of a data set hold; exit with 1 if one is not the published content.

    How they are packed, their line ends and a byte order mark do not matter.
    """
    checks = data.verify(name, data_dir=data_dir)
    table = plain_table()
    for header in ("file", "checksum", "result"):
        table.add_column(header, overflow="fold")
    for check in checks:
        table.add_row(str(check.file), check.algorithm, "ok" if check.ok else f"WRONG: {check.reason or check.found}")
    console().print(table)
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(CHECK_FAILED)


@command.command("info")
@_NAME
def info(*, name: str) -> None:
    """Describe a data set: origin, terms, size, and whether it is on this machine."""
    found = data.info(name)
    own = "none: it is kept here" if TABLE_MARK in found.name else "none: it comes with a package"
    without_files = "none: it is computed" if found.simulated else found.layout or own
    remedy = (
        "name its folder with --data-dir or NORMBENCH_DATA" if found.layout else f"normbench data fetch {found.name}"
    )
    samples = f"{found.samples:,}"
    if found.test_samples:
        samples += f", of which {found.test_samples:,} are the official test set"
    for label, text in (
        ("name", f"{found.name} ({origin(found.simulated, found.name)})"),
        ("description", found.description),
        ("samples", samples),
        ("classes", f"{found.classes:,}" if found.classes else "none: a regression"),
        ("splits", ", ".join(found.splits)),
        ("terms", found.terms),
        ("url", found.url),
        ("cite", found.citation),
        ("files", ", ".join(file.name for file in found.files) or without_files),
        ("here", "yes" if found.present else f"no; {remedy}"),
    ):
        click.echo(f"{label + ':':13} {text}")
