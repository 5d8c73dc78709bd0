"""``normbench leaderboard``: show what is stored."""

from collections.abc import Sequence
from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.output import print_boards, print_problems, print_remarks
from normbench.cli.reproduce.setting import FIGURES, figure_libraries
from normbench.errors import InvalidArgumentError
from normbench.records.schema import Record
from normbench.records.store import Store


@click.command("leaderboard")
@options.out
@options.output_format("table", "md", "csv", "json")
@click.option(
    "--target-rms",
    type=float,
    help="Also show what it takes to reach this training RMS, in the unit of the data: iterations, passes over the "
    "data for losses and for gradients, seconds. As columns of csv and json.",
)
@click.option(
    "--figures",
    is_flag=True,
    help="Also draw accuracy against the Lipschitz bound, and learning-rate sensitivity, into the sub-folder figures.",
)
def command(*, out: Path, format_: str, target_rms: float | None, figures: bool) -> None:
    """Show stored runs again; nothing is computed.

    \b
    Examples:
      normbench leaderboard
      normbench leaderboard --target-rms 0.9
      normbench leaderboard --out my-results --format md > LEADERBOARD.md
    """
    records = load(out)
    print_boards(records, format_, target_rms=target_rms)
    if figures:
        _draw(records, out / FIGURES)


def _draw(records: Sequence[Record], folder: Path) -> None:
    with figure_libraries():
        from normbench.report.figures.board import board_pictures
    for picture in board_pictures(records):
        for path in picture.save(folder):
            click.echo(path, err=True)


def load(folder: Path) -> list[Record]:
    """Records of a results folder, or of the folder that holds the records itself; problems go to standard error.

    Raises
    ------
    InvalidArgumentError
        If there is no record.
    """
    records, problems = Store.within(folder).load_all()
    print_problems(problems)
    print_remarks(records)
    if not records:
        raise InvalidArgumentError(f"no records in {folder}. Make some: normbench run --out {folder}.")
    return records
