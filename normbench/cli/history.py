"""``normbench history``: benchmarks over the commits, with the steps in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from normbench.cli import options
from normbench.errors import InvalidArgumentError
from normbench.presentation.libraries import drawing_libraries
from normbench.writing import probe_file, write_text

if TYPE_CHECKING:
    from normbench.presentation.history import Step

_FORMATS = (".svg", ".pdf", ".png")


@click.command("history")
@click.argument("patterns", nargs=-1, metavar="[BENCHMARK]...")
@click.option(
    "--results",
    default=Path("results/asv"),
    show_default=True,
    type=options.UserPath(),
    help="asv's results_dir.",
)
@click.option("--machine", help="asv's name of the machine; needed where several were measured.")
@click.option(
    "--threshold",
    default=0.1,
    show_default=True,
    type=options.POSITIVE,
    help="Smallest relative change that counts as a step.",
)
@click.option(
    "--output",
    default=Path("history.svg"),
    show_default=True,
    type=options.UserPath(dir_okay=False),
    help="Figure to write (.svg, .pdf or .png); its data go beside it as .csv.",
)
def command(*, patterns: tuple[str, ...], results: Path, machine: str | None, threshold: float, output: Path) -> None:
    """Plot benchmarks over the commits, every detected step marked.

    BENCHMARK is a regular expression, searched in asv's names with their parameters; without any, the names are
    listed. A step's ratio is the level after over the level before: lower is better in every benchmark.

    \b
    Examples:
      normbench history
      normbench history "PaperNetwork.*method1.*cpu" --machine epyc-2-cores --output method1.svg
      normbench history track_train_rms --machine epyc-2-cores --threshold 0.01
    """
    if output.suffix not in _FORMATS:
        raise InvalidArgumentError(f"--output must end in one of {', '.join(_FORMATS)}; got {str(output)!r}.")
    data = output.with_suffix(".csv")
    if patterns:
        for path in (output, data):
            probe_file(path)
    with drawing_libraries("history", "bench"):
        from normbench.presentation import history
        from normbench.records.formats import csv_frame

    loaded = history.load_history(results)
    if not patterns:
        click.echo("\n".join(sorted((loaded["benchmark"] + "(" + loaded["parameters"] + ")").unique())))
        return
    chosen = history.select(loaded, patterns, machine)
    steps = history.find_steps(chosen, threshold=threshold)
    history.save_figure(history.plot_history(chosen, steps), output)
    write_text(data, csv_frame(chosen).to_csv(index=False))
    _print_steps(steps, threshold)
    click.echo(f"{chosen['commit'].nunique()} commits drawn in {output}, data in {data}.")


def _print_steps(steps: "Sequence[Step]", threshold: float) -> None:
    if not steps:
        click.echo(f"No step of more than {threshold:.0%}.")
        return
    from normbench.presentation.tables import number
    from normbench.presentation.terminal import console, plain_table

    table = plain_table()
    for header in ("commit", "benchmark"):
        table.add_column(header)
    for header in ("before", "after", "ratio"):
        table.add_column(header, justify="right")
    for step in steps:
        name = f"{step.benchmark}({step.parameters})"
        table.add_row(step.commit, name, f"{step.before:.4g}", f"{step.after:.4g}", number(step.ratio, 2))
    console().print(table)
