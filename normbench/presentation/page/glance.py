"""The first answer: what is best on each board, with and without tuning, and what a linear fit reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from normbench.analysis.leaderboard import Row
from normbench.presentation.page.ways import Section, Way
from normbench.presentation.quantities import BOUND


@dataclass(frozen=True)
class Answer:
    """One line of the summary: a question, and the row that answers it."""

    question: str
    row: Row
    name: str


def answers(section: Section) -> list[Answer]:
    """Those of a board; rows with a diverged or failed run answer nothing."""
    whole = [way for way in section.ways if way.row.rank is not None]  # sorted by test RMS
    chosen = [
        ("Lowest test RMS", whole),
        ("Lowest without a search", [way for way in whole if not way.row.tuning.cost]),
        ("Lowest Lipschitz bound among those that beat a linear fit", _by_bound(section, whole)),
    ]
    found = [Answer(question, ways[0].row, f"{ways[0].label} ({ways[0].backend})") for question, ways in chosen if ways]
    linear = section.board.predictor("linear")
    return [*found, Answer("Linear fit, no optimiser", linear, "linear")] if linear else found


def _by_bound(section: Section, ways: Sequence[Way]) -> list[Way]:
    """Those that beat a linear fit, the lowest bound first."""
    linear = section.board.predictor("linear")
    beating = [way for way in ways if linear and way.row.test.mean < linear.test.mean]
    return sorted(beating, key=lambda way: BOUND.value(way.row))
