"""``normbench fit``: a network with a certified Lipschitz bound from a user's table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from normbench import backends
from normbench.cli import options
from normbench.cli.choices import Choice, PluggedIn
from normbench.cli.columns import columns
from normbench.data.splits import RULES
from normbench.running.request import DTYPES
from normbench.specs import SPECS, plug_ins
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.writing import probe_file

_SPLITS = [rule for rule in RULES if rule != "official"]  # nobody has published a test set of a user's table


class Widths(click.ParamType):
    """``25,30,15`` as widths of hidden layers; 0 for none."""

    name = "widths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The widths."""
        if not isinstance(value, str):
            return tuple(value)
        if value.strip() == "0":
            return ()
        widths = [int(part) if part.strip().isdecimal() else 0 for part in value.split(",")]
        if not all(widths):
            self.fail(f"{value!r} is no list of widths, such as 25,30,15; 0 stands for none.", param, ctx)
        return tuple(widths)


@click.command("fit")
@click.argument("files", metavar="FILE...", type=options.UserPath(), nargs=-1, required=True)
@columns(several=False)
@click.option(
    "--weight", metavar="NAME", help="Column of what a row counts, at least 0; 0 leaves it out.  [default: all alike]"
)
@click.option(
    "--lipschitz",
    type=options.POSITIVE,
    metavar="L",
    required=True,
    help="Bound that the network has: units of the outputs per unit of the inputs, as they stand in the table; with "
    "--standardise per standard deviation.",
)
@click.option("--standardise", is_flag=True, help="Measure every input in units of its standard deviation.")
@click.option(
    "--split",
    type=Choice(_SPLITS),
    help="How test rows are chosen: single rows, blocks of time, or whole groups.  [default: grouped with --group, "
    "else blocked with --time, else random]",
)
@click.option("--test-share", type=float, default=0.2, show_default=True, help="Share of the table; 0 trains on all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of split and initial weights.")
# What is not given is left to the estimator, whose own defaults the help repeats.
@click.option(
    "--hidden", type=Widths(), metavar="D1,D2,...", help="Widths of the hidden layers; 0 for none.  [default: 25,30,15]"
)
@click.option(
    "--optimiser",
    type=PluggedIn(["automatic", *SPECS], options.plug_in, plug_ins.OPTIMISERS),
    metavar="O",
    help=f"What trains it: one of normbench list optimisers, or {options.ANOTHERS}; automatic is geodesic_lbfgs, and "
    "online_lbfgs with --batch-size.  [default: automatic]",
)
@options.settings("of the optimiser: beta1=0.8")
@click.option("--parametrisation", type=Choice(list(PARAMETRISATIONS)), help="[default: one that keeps the bound]")
@click.option("--backend", type=Choice(backends.names()), help="[default: torch, else jax, else reference]")
@click.option("--dtype", type=Choice(DTYPES), help="Of the training.  [default: float32]")
@click.option(
    "--max-iter", type=click.IntRange(min=1), help="Most iterations; with --batch-size passes.  [default: 1000]"
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", help="Rows of a mini-batch.  [default: all in every step]"
)
@click.option(
    "--tol",
    type=float,
    help="Training ends where ten iterations, or passes, gain less than this share.  [default: 0.001]",
)
@click.option(
    "--early-stopping",
    is_flag=True,
    default=None,
    help="Hold part of the training rows out, as --split does with test rows, and keep the network that is best there.",
)
@click.option(
    "--validation-fraction", type=float, metavar="F", help="Of the training rows, blocks or groups.  [default: 0.1]"
)
@click.option("--save", type=options.UserPath(dir_okay=False), metavar="NET", help="Write the network, as NPZ.")
@options.output_format("table", "json")
def command(
    *,
    files: tuple[Path, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    group: str | None,
    time: str | None,
    unit: str | None,
    weight: str | None,
    standardise: bool,
    classes: bool,
    split: str | None,
    test_share: float,
    seed: int,
    settings: tuple[str, ...],
    save: Path | None,
    format_: str,
    **parameters: Any,
) -> None:
    """Train a certified network on a table of yours.

    FILE is a table with named columns: CSV with a header, Parquet, NPZ or MAT (up to version 7). Several files, a
    folder or a pattern are one table. Part of it is held out, the rest trains a network whose outputs change by at most
    L per unit of change of its inputs, for all inputs, with a proof that normbench certify checks from the saved file
    alone. Nothing has to be tuned, unless you name another optimiser. The same call gives the same network.

    \b
    Examples:
      normbench fit log.csv --inputs v,q,pwm --outputs fa --time t --lipschitz 20 --unit N --save net.npz
      normbench fit flights/ --inputs v,q,pwm --outputs fa --group file --lipschitz 1 --standardise
      normbench fit iris.csv --inputs length,width --outputs species --lipschitz 5
      normbench fit log.csv --inputs v --outputs fa --lipschitz 20 --optimiser torch.optim:NAdam --set lr=0.01
    """
    from normbench.cli.fit_report import fields_of, print_report
    from normbench.data.tables import read
    from normbench.errors import InvalidArgumentError
    from normbench.estimators.from_table import fit_table
    from normbench.paths import check_apart

    for rule, option, given in (("grouped", "--group", group), ("blocked", "--time", time)):
        if split == rule and given is None:
            raise InvalidArgumentError(
                f"--split {rule} needs {option}, the column that says it. Name it, or leave --split."
            )
    if parameters["validation_fraction"] is not None and not parameters["early_stopping"]:
        raise InvalidArgumentError(
            "--validation-fraction is the part that --early-stopping holds out. Give both, or leave it."
        )
    if save is not None:
        if save.suffix != ".npz":
            raise InvalidArgumentError(f"--save {save} must end in .npz: it is a file of arrays.")
        probe_file(save)
    named = {"group": group, "time": time, "weight": weight}
    table = read(files, inputs=inputs, outputs=outputs, unit=unit or "", classes=classes, **named)
    if save is not None:
        check_apart("--save", save, table.files)
    chosen = {name: value for name, value in parameters.items() if value is not None}
    if settings:
        chosen["hyperparameters"] = _hyperparameters(settings, **chosen)
    chosen["inputs"] = "standardised" if standardise else "affine"
    with _working(format_ == "table"):
        fit = fit_table(table, rule=split, test_share=test_share, seed=seed, **chosen)
    if save is not None:
        fit.model.provenance_ |= fit.provenance
        fit.model.save(save)
    for remark in fit.remarks:
        click.echo(f"Note: {remark}", err=True)
    if format_ == "json":
        click.echo(json.dumps(fields_of(fit, save), allow_nan=False))
    else:
        print_report(fit, save)


def _hyperparameters(
    settings: tuple[str, ...], *, optimiser: str = "automatic", batch_size: int | None = None, **others: Any
) -> dict[str, Any]:
    """What ``--set`` gives to the optimiser that will train, by the names of its declaration."""
    from normbench.campaigns.settings import Settings
    from normbench.estimators.batches import chosen

    key = chosen(optimiser, batch_size).key
    return dict(Settings.read(settings, (), [key]).values[key])


@contextmanager
def _working(shown: bool) -> Iterator[None]:
    """A sign of life on a terminal."""
    from normbench.presentation import terminal

    console = terminal.console(stderr=True)
    if not (shown and console.is_terminal):
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        bar.add_task("training", total=None)
        yield
