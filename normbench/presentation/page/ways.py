"""The boards of the page, and behind each of their rows the runs it stands for."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from normbench.analysis.leaderboard import Board, Row
from normbench.analysis.selection import how, rules, tuned_value
from normbench.presentation.tables import backend
from normbench.records.schema import Record


@dataclass(frozen=True)
class Way:
    """A way of optimising: one row of a board, its runs, and what the charts call it.

    Attributes
    ----------
    key : str
        Name of the row on the page, stable for the same records.
    row : Row
    runs : tuple of Record
    label : str
        ``adam tuned``, ``method1 order 3``; unique on its board together with the backend.
    backend : str
        With device and dtype where they are not the usual ones.
    is_best, is_default : bool
        What the row stands for where the optimiser has something to tune; both where it has not.
    """

    key: str
    row: Row
    runs: tuple[Record, ...]
    label: str
    backend: str
    is_best: bool
    is_default: bool

    def names(self) -> dict[str, Any]:
        """The columns that every chart filters and colours by."""
        return {
            "way": self.label,
            "optimiser": self.row.optimiser,
            "backend": self.backend,
            "best": self.is_best,
            "default": self.is_default,
        }

    def solvers(self) -> list[dict[str, Any]]:
        """The same columns and the price of tuning, twice where the default won its search: only one had a price."""
        found = self.names() | {"tuning": self.row.tuning_runs}
        if not (self.row.tuning_runs and self.is_default):
            return [found]
        unsearched = {"way": self.label.replace(" tuned", " default", 1), "best": False, "tuning": 0}
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


def sections(boards: Iterable[Board], records: Iterable[Record]) -> list[Section]:
    """Every board with the runs of its rows."""
    by_id = {record.record_id: record for record in records}
    return [_section(board, by_id) for board in boards]


def _section(board: Board, by_id: Mapping[str, Record]) -> Section:
    key = "-".join([board.task, board.split, *map(str, board.layers)])
    rows = [row for row in board.rows if row.kind == "optimiser"]
    runs = [tuple(by_id[name] for name in row.records) for row in rows]
    named = zip(rows, runs, _labels(rows, runs), strict=True)
    return Section(key, board, tuple(_way(f"{key}-row{k}", *found) for k, found in enumerate(named, 1)))


def _way(key: str, row: Row, runs: tuple[Record, ...], label: str) -> Way:
    found = rules(runs)
    untuned = found == ["none"]
    return Way(
        key=key,
        row=row,
        runs=runs,
        label=label,
        backend=backend(row),
        is_best=untuned or row.tuning_runs > 0,
        is_default=untuned or "default" in found,
    )


def _labels(rows: list[Row], runs: list[tuple[Record, ...]]) -> list[str]:
    """Short names; iterations, and then the value that is tuned, are added where two rows would share one."""
    names = [_label(row, found) for row, found in zip(rows, runs, strict=True)]
    for more in ([f"{row.iterations} it." for row in rows], [tuned_value(found[0]) for found in runs]):
        count = Counter((name, backend(row)) for name, row in zip(names, rows, strict=True))
        names = [
            f"{name} {word}" if count[name, backend(row)] > 1 and word else name
            for name, row, word in zip(names, rows, more, strict=True)
        ]
    return names


def _label(row: Row, runs: tuple[Record, ...]) -> str:
    words = [row.optimiser]
    if rules(runs) != ["none"]:
        words.append("tuned" if row.tuning_runs else "default")
    return " ".join([*words, *how(runs[0])])


def places(sections: Sequence[Section]) -> dict[str, str]:
    """Short name of each board by its key: the task, with split and network where another board shares it."""
    count = Counter(section.board.task for section in sections)
    return {
        section.key: section.board.task
        if count[section.board.task] == 1
        else f"{section.board.task}, {section.board.split} split, {layers_text(section.board.layers)}"
        for section in sections
    }


def layers_text(layers: Sequence[int]) -> str:
    """``12-25-30-15-3``; ``depth 12, width 35`` where the hidden layers are many and alike."""
    hidden = set(layers[1:-1])
    if len(layers) > 4 and len(hidden) == 1:
        return f"depth {len(layers) - 1}, width {hidden.pop()}"
    return "-".join(map(str, layers))
