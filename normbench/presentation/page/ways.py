"""The boards of the page, and behind each of their rows the runs it stands for."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import OptimiserRow
from normbench.analysis.selection import grouped
from normbench.analysis.tuning import Rule
from normbench.networks.families import layers_text
from normbench.presentation.labels import backend, board_tags, board_words, chosen_text, how
from normbench.records.schema import Record
from normbench.running.request import RunRequest

_RULES: dict[Rule, tuple[str, ...]] = {
    Rule.NONE: (),
    Rule.DEFAULT: ("default",),
    Rule.GIVEN: ("given",),
    Rule.BEST: ("tuned",),
}


@dataclass(frozen=True)
class Way:
    """A way of optimising: one row of a board, and what the charts call it.

    Attributes
    ----------
    key : str
        Name of the row on the page, stable for the same records.
    row : OptimiserRow
    more : tuple of str
        What the label says behind the optimiser and its rule.
    """

    key: str
    row: OptimiserRow
    more: tuple[str, ...]

    @property
    def runs(self) -> tuple[Record, ...]:
        """Of the row."""
        return self.row.records

    @property
    def backend(self) -> str:
        """With device and dtype where they are not the usual ones."""
        return backend(self.row)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What chose the values of the hyperparameters that are tuned."""
        return self.row.tuning.rules

    @property
    def is_best(self) -> bool:
        """True where the value is the best of a search, or there is none to tune."""
        return self.rules[-1] in (Rule.NONE, Rule.BEST)

    @property
    def label(self) -> str:
        """``adam tuned``, ``method1 order 3``; unique on its board together with the backend."""
        return self.called(self.rules[-1])

    def called(self, rule: Rule) -> str:
        """The label under one of the rules."""
        return " ".join([self.row.optimiser, *_RULES[rule], *self.more])

    def names(self) -> dict[str, Any]:
        """The columns that every chart filters and colours by."""
        return {
            "way": self.label,
            "optimiser": self.row.optimiser,
            "backend": self.backend,
            "best": self.is_best,
            "default": self.rules != (Rule.BEST,),
        }

    def solvers(self) -> list[dict[str, Any]]:
        """The same columns and the price of tuning, twice where the default won its search: only one had a price."""
        found = self.names() | {"tuning": self.row.tuning.cost}
        if len(self.rules) == 1:
            return [found]
        unsearched = {"way": self.called(self.rules[0]), "best": False, "tuning": 0}
        return [found | {"default": False}, found | unsearched]


@dataclass(frozen=True)
class Section:
    """A board of the page and the ways on it.

    Attributes
    ----------
    key : str
        Anchor on the page, the same whatever other boards there are.
    board : Board
    ways : tuple of Way
    """

    key: str
    board: Board
    ways: tuple[Way, ...]

    @property
    def compares(self) -> bool:
        """True if there is something to compare: more than one optimiser."""
        return len({way.row.optimiser for way in self.ways}) > 1


def sections(boards: Iterable[Board]) -> list[Section]:
    """Every board with the ways on it."""
    return [_section(board) for board in boards]


def _section(board: Board) -> Section:
    key = "-".join([board.task, board.split, layers_text(board.layers), *board_tags(board.runs[0])])
    ways = [Way(f"{key}-row{k}", row, tuple(how(row.records[0]))) for k, row in enumerate(board.optimisers, 1)]
    for word in (_iterations, _value):
        ways = _told_apart(ways, word)
    return Section(key, board, tuple(ways))


def _told_apart(ways: Sequence[Way], word: Callable[[OptimiserRow], str]) -> list[Way]:
    """The ways, with one more word in the labels of those that would share one."""
    count = Counter((way.label, way.backend) for way in ways)
    return [
        replace(way, more=(*way.more, found)) if count[way.label, way.backend] > 1 and (found := word(way.row)) else way
        for way in ways
    ]


def _iterations(row: OptimiserRow) -> str:
    return f"{row.iterations} it."


def _value(row: OptimiserRow) -> str:
    return "" if row.tuning.rules == (Rule.NONE,) else chosen_text(row.tuning)


def environments(sections: Iterable[Section]) -> list[list[Record]]:
    """The shown runs by what they were made with: backend, code version, threads, libraries and machine."""
    shown = (run for section in sections for way in section.ways for run in way.runs)
    made = grouped(
        shown,
        lambda run: (
            run.request.backend,
            run.provenance.code_version,
            run.provenance.threads,
            tuple(sorted(run.provenance.environment.items())),
        ),
    )
    return list(made.values())


def places(sections: Sequence[Section]) -> dict[str, str]:
    """Short name of each board by its key: the task, with split and network where another board shares it."""
    count = Counter(section.board.task for section in sections)
    return {
        section.key: section.board.task
        if count[section.board.task] == 1
        else ", ".join(
            [
                network_place(section.board.runs[0].request),
                *board_words(section.board.runs[0]),
            ]
        )
        for section in sections
    }


def network_place(asked: RunRequest) -> str:
    """Task, split and network of a run."""
    return f"{asked.task}, {asked.split} split, {short_network(asked.layers)}"


def short_network(layers: Sequence[int]) -> str:
    """``12-25-30-15-3``; ``depth 12, width 35`` where the hidden layers are many and alike."""
    hidden = set(layers[1:-1])
    if len(layers) > 4 and len(hidden) == 1:
        return f"depth {len(layers) - 1}, width {hidden.pop()}"
    return layers_text(layers)
