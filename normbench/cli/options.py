"""Options that several commands share, and what they mean together."""

import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from normbench import backends
from normbench.campaigns.usual import MOST_SEEDS, TUNE, TUNED
from normbench.cli.choices import Choice, PluggedIn
from normbench.errors import InvalidArgumentError
from normbench.paths import as_path

DEFAULT_OUT = Path("normbench-results")

MOST_JOBS = 1024

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
keep_networks: Decorator = click.option(
    "--keep-networks",
    is_flag=True,
    help="Keep each trained network with its certificate, as NPZ in the sub-folder networks; see normbench certify.",
)

tune: Decorator = click.option(
    "--tune",
    type=Choice(list(TUNE)),
    default=TUNED,
    show_default=True,
    help="How many hyperparameters of an optimiser are searched. two: after the learning rate a second one at the rate "
    "that was chosen, where the optimiser has one to tune, see normbench list optimisers. none: nothing is searched.",
)


class Seeds(click.ParamType[range]):
    """``N`` for seeds 0 to N - 1, or ``A..B`` for those from A to B."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The seeds."""
        from normbench.running.axis import TOO_LARGE

        read = re.fullmatch(r"(?:(\d{1,19})\.\.)?(\d{1,19})", value)
        found = range(0)
        if read:
            first, last = read.groups()
            found = range(int(last)) if first is None else range(int(first), int(last) + 1)
        if not 0 < found.stop - found.start <= MOST_SEEDS or found.stop > TOO_LARGE:
            self.fail(
                f"{value!r} is neither a number from 1, such as 10, nor a range, such as 10..19, of at most "
                f"{MOST_SEEDS} seeds below 2^63.",
                param,
                ctx,
            )
        return found


seed_range: Decorator = click.option(
    "--seeds",
    type=Seeds(),
    default="3",
    show_default=True,
    metavar="N|A..B",
    help="N for seeds 0 to N - 1, A..B for those from A to B; each seed has its own split and initial weights, the "
    "same for everyone. Searches have seeds of their own.",
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
        "--format", "format_", type=Choice(choices), default=choices[0], show_default=True, help="Output format."
    )


def many(name: str, what: str, choices: Sequence[str], *, default: str) -> Decorator:
    """An option that may be repeated."""
    return click.option(
        f"--{name}",
        f"{name}s",
        type=Choice(choices),
        metavar=name.upper()[0],
        multiple=True,
        help=f"{what}: {', '.join(choices)}. Repeat for several.  [default: {default}]",
    )


ANOTHERS = "another package's, by the name of its entry point or as my_module:MyClass, see docs/plug_ins.md"


def plug_in(key: str) -> object:
    """Another package's optimiser; modules in the present folder are found, too."""
    from normbench.specs import plug_ins

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # behind what is installed
    return plug_ins.get(key)


def settings(of: str) -> Decorator:
    """``--set NAME=VALUE``, any number of times."""
    return click.option(
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        help=f"A hyperparameter that is not to be at its default, {of}. Repeat for several.",
    )


def many_plugged_in(
    name: str,
    what: str,
    choices: Sequence[str],
    find: Callable[[str], object],
    *,
    group: str,
    default: str,
    others: str,
) -> Decorator:
    """An option that may be repeated, whose values may be another package's."""
    return click.option(
        f"--{name}",
        f"{name}s",
        type=PluggedIn(choices, find, group),
        metavar=name.upper()[0],
        multiple=True,
        help=f"{what}: {', '.join(choices)}; {others}. Repeat for several.  [default: {default}]",
    )


def backend(choices: Sequence[str]) -> Decorator:
    """``--backend`` for a command that runs on one of them."""
    default = " if installed, else ".join(usual.name for usual in backends.usual())
    return click.option("--backend", type=Choice(choices), help=f"What computes.  [default: {default}]")


def many_backends(what: str, choices: Sequence[str]) -> Decorator:
    """``--backend`` for a command that runs on several of them."""
    default = " and ".join(usual.name for usual in backends.usual())
    return many("backend", what, choices, default=f"{default}, where installed")


def choose_backends(named: Sequence[str]) -> list[str]:
    """See :func:`normbench.campaigns.wanted.chosen_backends`; who is left out is said on standard error."""
    from normbench.campaigns.wanted import chosen_backends

    return chosen_backends(named, partial(click.echo, err=True))


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
