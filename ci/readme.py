"""The README's frontier: figure and table of the best way of each optimiser, between two marks."""

from collections.abc import Sequence

from normbench.analysis.frontier import Frontier
from normbench.presentation.charts.frontier import NAME
from normbench.presentation.frontier_captions import captions, trivial
from normbench.presentation.frontiers import BACKEND, BEST, Shown, columns, evaluations, shown
from normbench.presentation.tables import markdown_table

FRONTIER, FRONTIER_ENDS = "<!-- frontier -->\n", "<!-- end of the frontier -->\n"
TASK, SPLIT = "neural-fly", "random"
_HOW, _COMMANDS = "docs/bound.md#how-to-read-the-frontier", "results/frontier.md"
_ROWS = 10


def leading(frontiers: Sequence[Frontier]) -> Frontier | None:
    """The frontier that README and figure show: of that task and split the first, which most ways were run for."""
    return next((f for f in frontiers if (f.first.request.task, f.first.request.split) == (TASK, SPLIT)), None)


def with_frontier(text: str, frontiers: Sequence[Frontier]) -> str:
    """The README's text with figure and table as they are now; the text itself where it has no marks or no frontier."""
    found = leading(frontiers)
    if found is None or FRONTIER not in text or FRONTIER_ENDS not in text:
        return text
    before, rest = text.split(FRONTIER)
    return before + FRONTIER + _frontier(found) + FRONTIER_ENDS + rest.split(FRONTIER_ENDS)[1]


def _frontier(frontier: Frontier) -> str:
    rows = _best(shown(frontier))[:_ROWS]
    kept = [c for c in columns(frontier) if c is not BACKEND and c.says(rows)]
    unit = frontier.first.outcome.unit
    said = f"Test RMS in {unit} at a certified bound L, {evaluations(frontier.budget)}; {len(frontier.seeds)} seeds."
    return "\n".join(
        [
            f"\n![{said[:-1]}](results/figures/{NAME}.svg)\n",
            f"{said} {captions(frontier)[0]} {' '.join(trivial(frontier))}",
            f"The best way of each of the first {len(rows)} optimisers; {BEST} is the lowest at its bound, stars are "
            f"certainly worse. [How to read it]({_HOW}); [every way, with its command]({_COMMANDS}).\n",
            *markdown_table(kept, rows),
            "\n",
        ]
    )


def _best(ways: Sequence[Shown]) -> list[Shown]:
    """The first way of each optimiser."""
    first: dict[str, Shown] = {}
    for one in ways:
        first.setdefault(one.line.way.first.request.optimiser, one)
    return list(first.values())
