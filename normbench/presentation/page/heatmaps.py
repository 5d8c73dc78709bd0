"""Experiment 2 of arXiv 2312.10672: measured and published figures over depth and width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from normbench.papers.asgd.figures import heat_values
from normbench.papers.asgd.tables import DEPTHS, WIDTHS, Cell, experiment2_cells
from normbench.papers.runs import QUADROTOR_TASKS, perceptron_layers
from normbench.presentation.compact import significant
from normbench.presentation.page.ways import Section, Way
from normbench.records.schema import Record

_NETWORKS = {perceptron_layers(width=width, depth=depth) for depth in DEPTHS for width in WIDTHS}


@dataclass(frozen=True)
class Grid:
    """The networks of experiment 2 on one task and backend.

    Attributes
    ----------
    task : str
    backend : str
    unit : str
    simulated : bool
    networks, runs : int
        How many of the 25 networks have records, and how many records.
    cells : tuple of Cell
        Measured beside published.
    """

    task: str
    backend: str
    unit: str
    simulated: bool
    networks: int
    runs: int
    cells: tuple[Cell, ...]

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
    found: dict[tuple[str, str], list[tuple[Section, Way]]] = {}
    for section in sections:
        board = section.board
        if board.task in QUADROTOR_TASKS and board.split == "random" and board.layers in _NETWORKS:
            for way in section.ways:
                if way.label == "method1":
                    found.setdefault((board.task, way.backend), []).append((section, way))
    return [_grid(task, backend, ways) for (task, backend), ways in sorted(found.items())]


def _grid(task: str, backend: str, ways: Sequence[tuple[Section, Way]]) -> Grid:
    runs: list[Record] = [run for _, way in ways for run in way.runs]
    board = ways[0][0].board
    return Grid(task, backend, board.unit, board.simulated, len(ways), len(runs), tuple(experiment2_cells(runs)))
