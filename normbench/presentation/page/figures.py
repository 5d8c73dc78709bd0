"""The figures of the page: which there are for the records at hand, what they say, and the data that they draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from normbench.analysis.leaderboard import Board
from normbench.analysis.selection import current
from normbench.backends import names
from normbench.data.dataset import origin
from normbench.presentation.charts.base import Frame
from normbench.presentation.charts.bounds import bound_chart
from normbench.presentation.charts.heatmaps import heat_chart
from normbench.presentation.charts.learning import learning_chart
from normbench.presentation.charts.rates import rate_chart
from normbench.presentation.charts.reaching import profile_chart, reaching_chart
from normbench.presentation.labels import board_title
from normbench.presentation.page import bounds, heatmaps, reaching
from normbench.presentation.page.curves import learning_curves
from normbench.presentation.page.rates import rate_points
from normbench.presentation.page.ways import Section
from normbench.presentation.palette import backend_of, series
from normbench.records.schema import Record


@dataclass(frozen=True)
class Figure:
    """One chart with its words.

    Attributes
    ----------
    key : str
        Anchor on the page.
    title : str
    source : str
        What the data are, as inside the picture.
    simulated : bool
        True if any of the data shown are simulated.
    optimisers : tuple of str
        For the legend, in the order of the registry.
    caption : str
        What is drawn, and how to read it.
    specification : dict
        Vega.
    data : mapping of str to str
        From the chart's named data to those of the page.
    summary : str
        Data set of the chart that a table under it shows; "" for none.
    """

    key: str
    title: str
    source: str
    simulated: bool
    optimisers: tuple[str, ...]
    caption: str
    specification: dict[str, Any]
    data: dict[str, str]
    summary: str = ""


@dataclass(frozen=True)
class Gallery:
    """Every figure by the part of the page it belongs to, and the data of all of them by name."""

    by_section: dict[str, list[Figure]] = field(default_factory=dict)
    profiles: list[Figure] = field(default_factory=list)
    heat: list[Figure] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """All of them."""
        return [*(f for found in self.by_section.values() for f in found), *self.profiles, *self.heat]


def gallery(sections: Sequence[Section], records: Sequence[Record]) -> Gallery:
    """Figures of the boards that compare optimisers, of all of them together, and of experiment 2.

    Parameters
    ----------
    sections : sequence of Section
    records : sequence of Record
        Everything stored, searches included.
    """
    compared = [section for section in sections if section.compares]
    grid = reaching.grid(compared)
    found = Gallery()
    searched = current(records)
    for section in compared:
        found.by_section[section.key] = _board_figures(section, grid, searched, found.data)
    if grid is not None:
        found.data["runs"] = [*reaching.reaching_runs(compared, grid.values), *reaching.anchors(compared)]
        found.profiles.extend(_profiles(compared, grid))
    for heat in heatmaps.grids(sections):
        found.heat.extend(_heat_figures(heat, found.data))
    return found


def source(board: Board) -> str:
    """What the data are, for titles inside the pictures."""
    return f"{board.task}, {origin(board.simulated)} data"


def _frame(board: Board, what: str) -> Frame:
    return Frame(source(board), f"{what}, {board_title(board)}")


def _optimisers(sections: Sequence[Section]) -> tuple[str, ...]:
    return tuple(series(way.row.optimiser for section in sections for way in section.ways))


def backends(sections: Sequence[Section]) -> list[str]:
    """Every backend among the rows, in the order of their declarations."""
    found = {way.backend for section in sections for way in section.ways}
    return sorted(found, key=lambda name: (names().index(backend_of(name).name), name))


def _board_figures(
    section: Section, grid: reaching.Grid | None, records: Sequence[Record], data: dict[str, Any]
) -> list[Figure]:
    found = [_learning(section, data), _reaching(section, grid), _bound(section, data), _rates(section, records, data)]
    return [figure for figure in found if figure is not None]


def _learning(section: Section, data: dict[str, Any]) -> Figure | None:
    board, curves, levels = section.board, f"curves-{section.key}", f"levels-train-{section.key}"
    data[curves], data[levels] = learning_curves(section), bounds.levels(section, "train")
    if not data[curves]:
        return None
    return Figure(
        key=f"learning-{section.key}",
        title="Learning curves",
        source=source(board),
        simulated=board.simulated,
        optimisers=_optimisers([section]),
        caption=f"Training RMS in {board.unit} over what it cost: mean over seeds, the band one standard deviation to "
        "either side. Dotted lines are the trivial predictors. Both axes are logarithmic.",
        specification=learning_chart(
            _frame(board, "Learning curves: training RMS over cost, one line per optimiser"),
            unit=board.unit,
            domain=bounds.rms_range(section, "train", start=max(max(c["high"][:1], default=0.0) for c in data[curves])),
            optimisers=_optimisers([section]),
            backends=backends([section]),
        ),
        data={"curves": curves, "levels": levels},
    )


def _reaching(section: Section, grid: reaching.Grid | None) -> Figure | None:
    if grid is None:
        return None
    specification, summary = reaching_chart(
        _frame(section.board, "Cost to reach the target, one line per optimiser"),
        board=section.key,
        grid=grid,
        optimisers=_optimisers([section]),
        backends=backends([section]),
    )
    return Figure(
        key=f"reaching-{section.key}",
        title="Cost to reach the target",
        source=source(section.board),
        simulated=section.board.simulated,
        optimisers=_optimisers([section]),
        caption="Small marks are runs, one per seed; the large mark is their median. Open triangles are runs that "
        "ended short of the target, at what they had spent: they count as infinitely dear, so a median stands only "
        "where more than half arrived. Interpolated between iterations of the lowest training RMS so far.",
        specification=specification,
        data={"runs": "runs"},
        summary=summary,
    )


def _bound(section: Section, data: dict[str, Any]) -> Figure | None:
    board, points, levels = section.board, f"bounds-{section.key}", f"levels-test-{section.key}"
    data[points], data[levels] = bounds.bound_points(section), bounds.levels(section, "test")
    if not data[points]:
        return None
    return Figure(
        key=f"bound-{section.key}",
        title="Accuracy against the Lipschitz bound",
        source=source(board),
        simulated=board.simulated,
        optimisers=_optimisers([section]),
        caption=f"Test RMS in {board.unit}, mean and one standard deviation, over the bound prod ||W_i||_op. The "
        "grey staircase is the front: nothing of the same backend is better in both. A line to the left of a mark ends "
        "at the largest ratio ||f(x) - f(x')|| / ||x - x'|| measured, which no valid bound can be below. Hollow: the "
        "default learning rate.",
        specification=bound_chart(
            _frame(board, "Test RMS against the Lipschitz bound, one mark per optimiser"),
            unit=board.unit,
            domain=bounds.rms_range(section, "test"),
            certified=any(point["measured"] is not None for point in data[points]),
            optimisers=_optimisers([section]),
            backends=backends([section]),
        ),
        data={"bounds": points, "levels": levels},
    )


def _rates(section: Section, records: Sequence[Record], data: dict[str, Any]) -> Figure | None:
    board, key = section.board, f"rates-{section.key}"
    points = rate_points(section, records)
    if not points:
        return None
    data[key] = points
    optimisers = tuple(series(point["optimiser"] for point in points))
    return Figure(
        key=key,
        title="Learning-rate sensitivity",
        source=source(board),
        simulated=board.simulated,
        optimisers=optimisers,
        caption="Final training RMS over the grid of each search: the best of the grid divided by that at the rate. "
        "1 is the best; 0 is a run that diverged or failed. A wide plateau means that tuning hardly matters.",
        specification=rate_chart(
            _frame(board, "Final training RMS over the learning rate"), unit=board.unit, optimisers=optimisers
        ),
        data={"rates": key},
    )


def _profiles(sections: Sequence[Section], grid: reaching.Grid) -> list[Figure]:
    problems = reaching.common_problems(sections)
    if not problems:
        return []
    simulated = [section.board.task for section in sections if section.board.simulated]
    solvers = tuple(series(solver["optimiser"] for solver in reaching.common_solvers(sections).values()))
    boards = "; ".join(source(section.board) for section in sections)
    return [
        Figure(
            key="profiles",
            title="Performance profiles",
            source=boards,
            simulated=bool(simulated),
            optimisers=solvers,
            caption=f"Share of {len(problems)} problems (a board and a seed each) that an optimiser solves at no more "
            "than so many times the cost of the cheapest one. At the left end: how often it is the cheapest. At the "
            "right end: how often it arrives at all. Only optimisers and seeds that every board has (Dolan and Moré, "
            f"2002). {boards}.",
            specification=profile_chart(
                Frame(boards, f"Performance profiles over {len(problems)} problems: {boards}"),
                grid=grid,
                optimisers=solvers,
                backends=backends(sections),
            ),
            data={"problems": "runs"},
        )
    ]


_QUANTITIES = {"train RMS": "Training RMS", "test RMS": "Test RMS", "seconds": "Seconds per run"}


def _heat_figures(grid: heatmaps.Grid, data: dict[str, Any]) -> list[Figure]:
    found = []
    values = grid.values()
    for quantity, words in _QUANTITIES.items():
        means = [value["mean"] for value in values if value["quantity"] == quantity]
        for side in ("measured", "published"):
            key = f"heat-{grid.task}-{grid.backend}-{quantity}-{side}".replace(" ", "-")
            simulated = grid.simulated and side == "measured"
            data[key] = [v for v in values if (v["quantity"], v["source"]) == (quantity, side)]
            where = (
                f"{grid.task}, {grid.backend}, {origin(simulated)} data"
                if side == "measured"
                else "published, real data"
            )
            unit = "" if quantity == "seconds" else f" in {grid.unit}"
            frame = Frame(where, f"{words}{unit} over depth and width, {where}")
            found.append(
                Figure(
                    key=key,
                    title=f"{words}{unit}, {side}",
                    source=where,
                    simulated=simulated,
                    optimisers=(),
                    caption="",
                    specification=heat_chart(frame, quantity=quantity, domain=(min(means), max(means))),
                    data={"cells": key},
                )
            )
    return found
