"""``normbench data``: fetch, check and describe data sets."""

from pathlib import Path

import click

from normbench import data
from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.report.tables import console, plain_table

_NAME = click.argument("name", type=click.Choice(list(data.SOURCES)))


@click.group("data")
def command() -> None:
    """Fetch, verify and describe data sets.

    \b
    Examples:
      normbench data info neural-fly
      normbench data fetch quadrotor
      normbench data verify neural-fly --data-dir ~/neural_fly
    """


@command.command("fetch")
@_NAME
def fetch(*, name: str) -> None:
    """Download a data set, or generate a simulated one, into the cache."""
    for path in data.fetch(name):
        click.echo(path)


@command.command("verify")
@_NAME
@options.data_dir
def verify(*, name: str, data_dir: Path | None) -> None:
    """Recompute every checksum of a data set; exit with 1 if a file is not the published one."""
    checks = data.verify(name, data_dir=data_dir)
    table = plain_table()
    for header in ("file", "checksum", "result"):
        table.add_column(header, overflow="fold")
    for check in checks:
        table.add_row(str(check.file), check.algorithm, "ok" if check.ok else f"WRONG: {check.found}")
    console().print(table)
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(CHECK_FAILED)


@command.command("info")
@_NAME
def info(*, name: str) -> None:
    """Describe a data set: origin, terms, size, and whether it is on this machine."""
    found = data.info(name)
    kind = "SIMULATED" if found.simulated else "real"
    for label, text in (
        ("name", f"{found.name} ({kind})"),
        ("description", found.description),
        ("samples", str(found.samples)),
        ("terms", found.terms),
        ("url", found.url),
        ("cite", found.citation),
        ("files", ", ".join(file.name for file in found.files) or "none: it is computed"),
        ("here", "yes" if found.present else f"no; normbench data fetch {found.name}"),
    ):
        click.echo(f"{label + ':':13} {text}")
