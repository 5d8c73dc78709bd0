"""``normbench compare``: has anything got worse between two sets of records?"""

from pathlib import Path

import click

from normbench.cli.errors import CHECK_FAILED
from normbench.cli.leaderboard import load
from normbench.errors import InvalidArgumentError
from normbench.report.compare import compare, comparison_table
from normbench.report.tables import console

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("compare")
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
def command(*, old: Path, new: Path) -> None:
    """Has NEW got worse than OLD?

    Compares the records of two folders, paired by seed, and exits with 1 where NEW is worse: where the 95 %
    interval of the relative difference in test RMS excludes 0 and its mean exceeds 1 %, or where a run that had
    a result has none any more. Times are shown and not judged.

    \b
    Example:
      normbench compare results-before normbench-results
    """
    comparisons, unmatched = compare(load(old), load(new))
    if not comparisons:
        raise InvalidArgumentError(
            f"{old} and {new} have no run in common, so there is nothing to compare. "
            "Both need the same tasks, optimisers, backends, iterations and seeds."
        )
    console().print(comparison_table(comparisons))
    if unmatched:
        click.echo(f"{len(unmatched)} rows exist on one side only and are not compared.", err=True)
    worse = [c for c in comparisons if c.verdict == "worse"]
    click.echo(f"{len(worse)} of {len(comparisons)} rows are worse.")
    if worse:
        raise click.exceptions.Exit(CHECK_FAILED)
