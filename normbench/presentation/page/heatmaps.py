"""Experiment 2 of arXiv 2312.10672: measured and published figures over depth and width."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from normbench.analysis.leaderboard import Board
from normbench.papers.asgd.figures import heat_values
from normbench.papers.asgd.tables import DEPTHS, WIDTHS, Cell, experiment2_cells
from normbench.papers.runs import QUADROTOR_TASKS, perceptron_layers
from normbench.presentation.compact import significant
from normbench.presentation.labels import board_words
from normbench.presentation.page.ways import Section, Way
from normbench.records.schema import Record

_NETWORKS = {perceptron_layers(width=width, depth=depth) for depth in DEPTHS for width in WIDTHS}


@dataclass(frozen=True)
class Grid:
    """The networks of experiment 2 on one task and backend.

    Attributes
    ----------
    board : Board
        One of those that hold them, for task, unit and origin of the data.
    backend : str
    networks : int
        How many of the 25 networks have records.
    runs : tuple of Record
    """

    board: Board
    backend: str
    networks: int
    runs: tuple[Record, ...]

    @property
    def key(self) -> str:
        """What the keys of its figures begin with."""
        return f"heat-{self.board.task}-{self.backend}".replace(" ", "-")

    @cached_property
    def cells(self) -> list[Cell]:
        """Measured beside published."""
        return experiment2_cells(self.runs)

    def values(self) -> list[dict[str, Any]]:
        """One entry per network, source and quantity; "seconds" beside the two RMS."""
        table = heat_values(self.cells)
        return [
            {str(name): value for name, value in row.items()}
            | {"mean": significant(row["mean"], 4), "sd": significant(row["sd"], 3)}
            for row in table[table["mean"].notna()].to_dict("records")
        ]


def grids(sections: Sequence[Section]) -> list[Grid]:
    """One per task and backend that has run method 1 on networks of the experiment."""
    found: dict[tuple[str, str], list[tuple[Board, Way]]] = {}
    for board, ways in ((section.board, section.ways) for section in sections):
        of_the_paper = board.split == "random" and board.layers in _NETWORKS and not board_words(board.runs[0])
        if board.task in QUADROTOR_TASKS and of_the_paper:
            for way in ways:
                if way.label == "method1":
                    found.setdefault((board.task, way.backend), []).append((board, way))
    return [
        Grid(ways[0][0], backend, len(ways), tuple(run for _, way in ways for run in way.runs))
        for (_, backend), ways in sorted(found.items(), key=lambda item: item[0])
    ]
