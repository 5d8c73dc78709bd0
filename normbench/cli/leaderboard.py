"""``normbench leaderboard``: show what is stored."""

from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.output import print_boards, print_problems
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
def command(*, out: Path, format_: str, target_rms: float | None) -> None:
    """Show stored runs again; nothing is computed.

    \b
    Examples:
      normbench leaderboard
      normbench leaderboard --target-rms 0.9
      normbench leaderboard --out my-results --format md > LEADERBOARD.md
    """
    print_boards(load(out), format_, target_rms=target_rms)


def load(folder: Path) -> list[Record]:
    """Records of a results folder, or of the folder that holds the records itself; problems go to standard error.

    Raises
    ------
    InvalidArgumentError
        If there is no record.
    """
    nested = folder / options.RECORDS
    records, problems = Store(nested if nested.is_dir() else folder).load_all()
    print_problems(problems)
    if not records:
        raise InvalidArgumentError(f"no records in {folder}. Make some: normbench run --out {folder}.")
    return records
