"""The commands that make the runs of a way again, at all its bounds."""

import shlex
from collections.abc import Iterator

from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Line
from normbench.analysis.rows import optimiser_row
from normbench.presentation.commands import command

_BOUND = "--lipschitz"


def commands(frontier: Frontier, line: Line) -> list[str]:
    """``normbench run ... --lipschitz 5 --lipschitz 10``: one where the bounds differ in nothing else."""
    found: dict[tuple[str, ...], list[str]] = {}
    for words in _words(frontier, line):
        at = words.index(_BOUND) if _BOUND in words else len(words)
        found.setdefault((*words[:at], *words[at + 2 :]), []).extend(words[at : at + 2])
    return [shlex.join([*words, *bounds]) for words, bounds in found.items()]


def _words(frontier: Frontier, line: Line) -> Iterator[list[str]]:
    for runs in line.way.runs.values():
        if words := command(optimiser_row(list(runs)), frontier):
            yield shlex.split(words)
