"""Options that several commands share, and what they mean together."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from normbench import backends
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.machine import cores, threads_per_run
from normbench.paths import as_path

DEFAULT_OUT = Path("normbench-results")

MOST_SEEDS, MOST_JOBS = 100_000, 1024

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class UserPath(click.Path):
    """A file or folder: ``~`` is the home folder, an empty text is refused."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked path."""
        try:
            expanded = as_path("the path", value)
        except InvalidArgumentError as error:
            self.fail(str(error), param, ctx)
        return super().convert(expanded, param, ctx)


class PositiveNumber(click.ParamType):
    """A positive finite number: neither nan nor inf, which click's ranges let through."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0.0 < number < math.inf:
            self.fail(f"{value!r} is not a positive finite number.", param, ctx)
        return number


POSITIVE = PositiveNumber()

data_dir: Decorator = click.option(
    "--data-dir",
    type=UserPath(file_okay=False, exists=True),
    help="Folder with data files that you have already; the environment variable NORMBENCH_DATA names one, too.",
)
out: Decorator = click.option(
    "--out",
    type=UserPath(file_okay=False),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for the results; records go to its sub-folder records.",
)
jobs: Decorator = click.option(
    "--jobs",
    type=click.IntRange(min=1, max=MOST_JOBS),
    default=None,
    help="Runs at the same time; results do not depend on it. Each run has one thread, or as many as the environment "
    "variable OMP_NUM_THREADS says.  [default: as many as the cores allow]",
)

TUNE = {"one": 1, "two": 2}  # hyperparameters that are searched
tune: Decorator = click.option(
    "--tune",
    type=click.Choice(list(TUNE)),
    default=next(iter(TUNE)),
    show_default=True,
    help="How many hyperparameters of an optimiser are searched. two: after the learning rate a second one at the rate "
    "that was chosen, where the optimiser has one to tune, see normbench list optimisers.",
)


def seeds(default: int) -> Decorator:
    """``--seeds N``: seeds 0 to N - 1."""
    return click.option(
        "--seeds",
        type=click.IntRange(min=1, max=MOST_SEEDS),
        default=default,
        show_default=True,
        help="How many seeds: 0, 1, ...; each seed has its own split and initial weights, the same for everyone.",
    )


def output_format(*choices: str) -> Decorator:
    """``--format``, the first choice being the default."""
    return click.option(
        "--format", "format_", type=click.Choice(choices), default=choices[0], show_default=True, help="Output format."
    )


class MarkedChoice(click.Choice):
    """One of the choices, or a text with a mark that none of them has, which the command is to look up."""

    def __init__(self, choices: Sequence[str], mark: str) -> None:
        super().__init__(choices)
        self.mark = mark

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text."""
        return value if self.mark in value else super().convert(value, param, ctx)


def many(name: str, what: str, choices: Sequence[str], *, default: str, mark: str = "") -> Decorator:
    """An option that may be repeated; with a mark also texts that have it."""
    return click.option(
        f"--{name}",
        f"{name}s",
        type=MarkedChoice(choices, mark) if mark else click.Choice(choices),
        metavar=name.upper()[0],
        multiple=True,
        help=f"{what}: {', '.join(choices)}. Repeat for several.  [default: {default}]",
    )


def job_count(given: int | None) -> int:
    """What was asked for, else as many as have a core of ours for every thread."""
    return given or max(1, cores() // threads_per_run())


def backend(choices: Sequence[str]) -> Decorator:
    """``--backend`` for a command that runs on one of them."""
    default = " if installed, else ".join(usual.name for usual in backends.usual())
    return click.option("--backend", type=click.Choice(choices), help=f"What computes.  [default: {default}]")


def many_backends(what: str, choices: Sequence[str]) -> Decorator:
    """``--backend`` for a command that runs on several of them."""
    default = " and ".join(usual.name for usual in backends.usual())
    return many("backend", what, choices, default=f"{default}, where installed")


def choose_backends(named: Sequence[str]) -> list[str]:
    """Backends to run on: the named ones, all of which must be there, or else the usual ones that are.

    Raises
    ------
    BackendUnavailableError
        If a named backend is missing, or none of the usual ones is there.
    """
    if named:
        return [backends.usable(name).name for name in dict.fromkeys(named)]
    missing = {usual.name: usual.missing() for usual in backends.usual()}
    chosen = [name for name, reason in missing.items() if not reason]
    if not chosen:
        raise BackendUnavailableError(f"no backend can be used. Install one: {'; '.join(missing.values())}.")
    for name, reason in missing.items():
        if reason:
            click.echo(f"Left out: backend {name!r} cannot be used: {reason}", err=True)
    return chosen


def parse_layers(text: str | None) -> tuple[int, ...] | None:
    """``12,25,30,15,3`` as widths.

    Raises
    ------
    InvalidArgumentError
        If it is no list of integers.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidArgumentError(
            f"--layers must be widths separated by commas, input first; got {text!r}. Example: --layers 12,25,30,15,3."
        ) from error


def check_network(layers: tuple[int, ...] | None, width: int | None, depth: int | None) -> None:
    """Raise unless the network is given in one way: ``--layers``, ``--width`` with ``--depth``, or not at all.

    Raises
    ------
    InvalidArgumentError
    """
    if layers is not None and (width is not None or depth is not None):
        raise InvalidArgumentError("give either --layers or --width and --depth, not both.")
    if (width is None) != (depth is None):
        given, absent = ("--width", "--depth") if depth is None else ("--depth", "--width")
        raise InvalidArgumentError(f"{given} needs {absent} beside it. Example: --width 25 --depth 4.")
