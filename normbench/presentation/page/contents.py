"""The contents of the page: a line for each network, with links to its frontiers and its boards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from normbench.presentation.frontiers import evaluations
from normbench.presentation.labels import board_words
from normbench.presentation.page.frontiers import Shelf
from normbench.presentation.page.ways import Section, network_place
from normbench.running.request import RunRequest

NO_BOUND = "no bound named"


@dataclass(frozen=True)
class Link:
    """Where a link leads on the page, and what it says."""

    key: str
    text: str


@dataclass(frozen=True)
class Entry:
    """A network on its data.

    Attributes
    ----------
    name : str
        Task, split and network.
    frontiers, boards : list of Link
    """

    name: str
    frontiers: list[Link] = field(default_factory=list)
    boards: list[Link] = field(default_factory=list)


def contents(shelves: Iterable[Shelf], sections: Iterable[Section]) -> Sequence[Entry]:
    """Every network in the order in which the page comes to it."""
    found: dict[str, Entry] = {}

    def entry(asked: RunRequest) -> Entry:
        name = network_place(asked)
        return found.setdefault(name, Entry(name))

    for shelf in shelves:
        entry(shelf.frontier.first.request).frontiers.append(Link(shelf.key, evaluations(shelf.frontier.budget)))
    for section in sections:
        run = section.board.runs[0]
        entry(run.request).boards.append(Link(section.key, ", ".join(board_words(run)) or NO_BOUND))
    return tuple(found.values())
