"""The commands that make the runs of a way again, at all its bounds."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from normbench.analysis.chosen_bounds import ChosenBounds
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Line
from normbench.analysis.rows import optimiser_row
from normbench.analysis.ways import SCALE
from normbench.presentation.commands import command
from normbench.running.request import axes

OPTION = "--choose-bound"
_BOUND, _SEEDS = "--lipschitz", "--seeds"
_MOVES = (_BOUND, *(axis.option for axis in axes() if axis.name == SCALE))  # the bound of a way


def commands(frontier: Frontier, line: Line, chosen: ChosenBounds | None = None) -> list[str]:
    """``normbench run ... --lipschitz 5 --lipschitz 10``: one where the bounds differ in nothing else.

    They make the trials that chose among the bounds, too.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for words in _words(frontier, line):
        at = next((words.index(option) for option in _MOVES if option in words), len(words))
        found.setdefault((*words[:at], *words[at + 2 :]), []).extend(words[at : at + 2])
    made = _with_trials(found) if chosen and chosen.has_trials_of_its_own(line) else found
    return [shlex.join([*words, *bounds]) for words, bounds in made.items()]


def _with_trials(found: Mapping[tuple[str, ...], list[str]]) -> dict[tuple[str, ...], list[str]]:
    """The option for all bounds in one command, that of the fewest seeds, where they differ in their seeds alone."""
    alike: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for words in sorted(found, key=_seeds):
        at = words.index(_SEEDS)
        alike.setdefault((*words[:at], *words[at + 2 :]), []).append(words)
    made = {}
    for first, *others in alike.values():
        bounds = [text for words in (first, *others) for text in found[words]]
        made[first] = [*bounds, OPTION] if bounds.count(_BOUND) > 1 else bounds
        made |= {words: found[words] for words in others}
    return made


def _seeds(words: Sequence[str]) -> int:
    """How many they are."""
    first, _, last = words[words.index(_SEEDS) + 1].rpartition("..")
    return int(last) + 1 - int(first) if first else int(last)


def _words(frontier: Frontier, line: Line) -> Iterator[list[str]]:
    for runs in line.way.runs.values():
        if words := command(optimiser_row(list(runs)), frontier):
            yield shlex.split(words)
