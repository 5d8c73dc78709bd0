"""``normbench compare``: has anything got worse between two sets of records?"""

from collections import Counter
from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import load
from normbench.errors import InvalidArgumentError

_FOLDER = options.UserPath(exists=True, file_okay=False)


@click.command("compare")
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
def command(*, old: Path, new: Path) -> None:
    """Has NEW got worse than OLD?

    Compares training and test RMS and failures of the records of two folders, task by task and optimiser by
    optimiser, and exits with 1 where NEW is worse: where a change of more than 1 % is significant at 5 % after
    correction for the number of rows, or where a run that had a result has none any more. Runs of the same seeds are
    compared in pairs, which finds small changes; runs of other seeds by their spread about the linear predictor on
    the same splits. Times are shown and not judged.

    \b
    Example:
      normbench compare results-before normbench-results
    """
    from normbench.analysis.compare import compare
    from normbench.presentation.changes import METRICS, comparison_tables, row_names
    from normbench.presentation.terminal import console

    comparisons, old_only, new_only = compare(load(old), load(new), metrics=METRICS)
    if not comparisons:
        raise InvalidArgumentError(
            f"{old} and {new} have no row in common, so there is nothing to compare. "
            "Both need the same tasks, data, networks, optimisers, backends and iterations; the seeds may differ."
        )
    output = console()
    output.print(comparison_tables(comparisons, width=output.width))
    for side, keys in (("OLD", old_only), ("NEW", new_only)):
        if keys:
            click.echo(f"{len(keys)} rows are in {side} only and not compared: {row_names(keys)}.", err=True)
    counts = Counter(comparison.verdict for comparison in comparisons)
    click.echo(
        f"{counts['worse']} of {len(comparisons)} rows are worse, {counts['better']} better, "
        f"{counts['undecided']} undecided."
    )
    if counts["worse"]:
        raise click.exceptions.Exit(CHECK_FAILED)
