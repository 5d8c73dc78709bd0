"""``--quick``: a first board in seconds, as words of a command line, which the command's own options read."""

import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from normbench import backends
from normbench.cli.run_options import one_call

# Measured data that need no download, a bound, and what has nothing to tune there beside Adam at its default rate.
_BOARD = ("--task", "digits", "--lipschitz", "10")
_OPTIMISERS = ("geodesic_lbfgs", "lbfgs", "adam")
OUT = Path("normbench-quick")  # two seeds among those of a full board would make its ranks those of two seeds
_SMALL = ("--tune", "none", "--seeds", "2", "--iterations", "50")


def words() -> tuple[str, ...]:
    """The options that ``--quick`` stands for: on the first backend that is installed, for a second one costs as much.

    Where none is installed the words name none, and who reads them says what to install.
    """
    there = [backend.name for backend in backends.usual() if not backend.missing()]
    named = [word for key in _OPTIMISERS for word in ("--optimiser", key)]
    return (*_BOARD, *named, *(word for name in there[:1] for word in ("--backend", name)), *_SMALL)


def quick_runs() -> Any:
    """What these words ask for, a :class:`normbench.campaigns.wanted.Wanted`."""
    with one_call.make_context("run", list(words())) as context:
        return one_call.invoke(context)


def in_one_process(given: dict[str, Any]) -> dict[str, Any]:
    """Other options of the command: one process unless ``--jobs`` asks for more, since a second imports for as long."""
    return given | {"jobs": 1} if given.get("jobs", 1) is None else given


def apart(given: dict[str, Any]) -> dict[str, Any]:
    """Other options of the command: a results folder of its own unless ``--out`` names one."""
    is_named = click.get_current_context().get_parameter_source("out") is not ParameterSource.DEFAULT
    return given if is_named or "out" not in given else given | {"out": OUT}


def note(wanted: Any, out: Path) -> str:
    """What the board of these runs is worth, and the commands for it and for more."""
    return (
        f"This was a quick look: {len(wanted.seeds)} seeds, {wanted.axes['iterations']} iterations, nothing searched "
        "(Adam is at its default learning rate, which is not its best). Too little to rank anyone by.\n"
        f"The same: {command((*words(), '--out', str(out)))}\n"
        f"The board of this task at this bound, all of ours and their searches: {command(_BOARD)}"
    )


def command(words: tuple[str, ...]) -> str:
    """A call of normbench run."""
    return shlex.join(["normbench", "run", *words])
