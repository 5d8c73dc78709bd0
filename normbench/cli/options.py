"""Options that several commands share, and what they mean together."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from normbench.errors import BackendUnavailableError, InvalidArgumentError

EXTRAS = {"torch": 'pip install "normbench[torch]"', "jax": 'pip install "normbench[jax]"'}
DEFAULT_OUT = Path("normbench-results")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

data_dir: Decorator = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder with data files that you have already; the environment variable NORMBENCH_DATA names one, too.",
)
out: Decorator = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for the results; records go to its sub-folder records.",
)
jobs: Decorator = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Runs at the same time; the processor's cores are shared among them.  [default: number of cores]",
)


def seeds(default: int) -> Decorator:
    """``--seeds N``: seeds 0 to N - 1."""
    return click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help="How many seeds: 0, 1, ...; each seed has its own split and initial weights, the same for everyone.",
    )


def output_format(*choices: str) -> Decorator:
    """``--format``, the first choice being the default."""
    return click.option(
        "--format", "format_", type=click.Choice(choices), default=choices[0], show_default=True, help="Output format."
    )


def many(name: str, what: str, choices: Sequence[str], *, default: str) -> Decorator:
    """An option that may be repeated."""
    return click.option(
        f"--{name}",
        f"{name}s",
        type=click.Choice(choices),
        metavar=name.upper()[0],
        multiple=True,
        help=f"{what}: {', '.join(choices)}. Repeat for several.  [default: {default}]",
    )


def job_count(given: int | None) -> int:
    """What was asked for, else the number of cores."""
    return given or os.cpu_count() or 1


def threads_per_job(jobs_: int) -> int:
    """The cores shared out, at least one each."""
    return max(1, (os.cpu_count() or 1) // jobs_)


def choose_backends(named: Sequence[str], *, default: Sequence[str] = ("torch", "jax")) -> list[str]:
    """Backends to run on: the named ones, all of which must be there, or else those of the default that are.

    Raises
    ------
    BackendUnavailableError
        If a named backend is missing, or none of the default ones is there.
    """
    from normbench.training.run import available_backends

    missing = {backend: reason for backend, reason in available_backends().items() if reason}
    for backend in named:
        if backend in missing:
            raise BackendUnavailableError(_missing(backend, missing[backend]))
    if named:
        return list(dict.fromkeys(named))
    chosen = [backend for backend in default if backend not in missing]
    if not chosen:
        raise BackendUnavailableError(f"neither {' nor '.join(default)} is installed. Install one: {EXTRAS['torch']}.")
    for backend in default:
        if backend in missing:
            click.echo(f"Left out: {_missing(backend, missing[backend])}", err=True)
    return chosen


def _missing(backend: str, reason: str) -> str:
    remedy = EXTRAS.get(backend, "")
    return f"backend {backend!r} cannot be used: {reason}" + ("" if "pip install" in reason else f" {remedy}")


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
