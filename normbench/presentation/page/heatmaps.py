"""Experiment 2 of arXiv 2312.10672: measured and published figures over depth and width."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from normbench.analysis.statistics import Spread
from normbench.papers.asgd.tables import DEPTHS, WIDTHS, Cell, experiment2_cells
from normbench.papers.runs import QUADROTOR_TASKS, perceptron_layers
from normbench.presentation.page.compact import significant
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
        entries = [entry for cell in self.cells for entry in _entries(cell)]
        return [entry for entry in entries if entry["mean"] is not None]


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


def _entries(cell: Cell) -> list[dict[str, Any]]:
    where = cell.size
    found = [
        where | {"source": source, "quantity": cell.quantity} | _figures(spread)
        for source, spread in (("measured", cell.measured), ("published", cell.published))
    ]
    if cell.part == "train":
        for source, seconds in (("measured", cell.seconds), ("published", cell.published_seconds)):
            found.append(where | {"source": source, "quantity": "seconds"} | _figures(Spread(seconds, math.nan, 0)))
    return found


def _figures(spread: Spread) -> dict[str, Any]:
    return {"mean": significant(spread.mean, 4), "sd": significant(spread.sd, 3), "seeds": spread.count}
