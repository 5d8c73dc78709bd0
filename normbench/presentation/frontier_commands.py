"""The commands that make the runs of a way again, at all its bounds."""

import shlex
from collections.abc import Iterator

from normbench.analysis.frontier import Frontier, Line
from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import optimiser_row
from normbench.analysis.selection import board_key
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
        searched = tuple(run for run in frontier.runs if board_key(run) == board_key(runs[0]))
        row = optimiser_row(list(runs))
        board = Board(runs=searched, trials=(), outdated=0, optimisers=(row,), predictors=(), published=())
        if words := command(row, board):
            yield shlex.split(words)
