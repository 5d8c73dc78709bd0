"""``normbench leaderboard``: show what is stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from normbench.cli import options
from normbench.cli.output import FIGURES, load, print_boards, print_frontiers
from normbench.errors import InvalidArgumentError
from normbench.presentation.libraries import drawing_libraries
from normbench.writing import probe_folder

if TYPE_CHECKING:
    from normbench.records.schema import Record


@click.command("leaderboard")
@options.out
@options.output_format("table", "md", "csv", "json")
@click.option(
    "--target-rms",
    type=options.POSITIVE,
    help="Also show what it takes to reach this training RMS, in the unit of the data: iterations, passes over the "
    "data for losses and for gradients, seconds. As columns of csv and json.",
)
@click.option(
    "--frontier",
    is_flag=True,
    help="Show the frontiers alone: test RMS of every way of training at every Lipschitz bound that was asked for. "
    "Tables and Markdown have them first, where records have several bounds; csv and json with this option.",
)
@click.option(
    "--figures",
    is_flag=True,
    help="Also draw frontiers, accuracy against the Lipschitz bound, and learning-rate sensitivity, into the "
    "sub-folder figures.",
)
def command(*, out: Path, format_: str, target_rms: float | None, frontier: bool, figures: bool) -> None:
    """Show stored runs again; nothing is computed.

    \b
    Examples:
      normbench leaderboard
      normbench leaderboard --target-rms 0.9
      normbench leaderboard --out my-results --format md > LEADERBOARD.md
    """
    records = load(out)
    if figures:
        probe_folder(out / FIGURES)
    if frontier:
        if not print_frontiers(records, format_):
            raise InvalidArgumentError(
                f"--frontier: no task in {out} has runs at two bounds. Make some: normbench run --lipschitz 10 "
                "--lipschitz 40."
            )
    else:
        print_boards(records, format_, target_rms=target_rms)
    if figures:
        _draw(records, out / FIGURES)


def _draw(records: "Sequence[Record]", folder: Path) -> None:
    with drawing_libraries():
        from normbench.presentation.charts.board import board_pictures
        from normbench.presentation.charts.frontier import frontier_pictures
    from normbench.analysis.frontier import frontiers

    for picture in (*frontier_pictures(frontiers(records)), *board_pictures(records)):
        for path in picture.save(folder):
            click.echo(path, err=True)
