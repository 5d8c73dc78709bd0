"""The figures of the page: which there are for the records at hand, what they say, and the data that they draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from normbench.analysis.leaderboard import Board
from normbench.analysis.selection import current
from normbench.backends import Backend, get, names
from normbench.data.dataset import origin
from normbench.presentation.charts.base import Frame
from normbench.presentation.charts.bounds import bound_chart
from normbench.presentation.charts.heatmaps import heat_chart
from normbench.presentation.charts.learning import learning_chart
from normbench.presentation.charts.rates import rate_chart
from normbench.presentation.charts.reaching import profile_chart, reaching_chart
from normbench.presentation.labels import PUBLISHED, board_title
from normbench.presentation.page import bounds, heatmaps, reaching
from normbench.presentation.page.curves import learning_curves
from normbench.presentation.page.rates import rate_points
from normbench.presentation.page.ways import Section
from normbench.presentation.palette import series
from normbench.records.schema import Record


@dataclass(frozen=True)
class Figure:
    """One chart with its words.

    Attributes
    ----------
    key : str
        Anchor on the page.
    title : str
    frame : Frame
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
    frame: Frame
    caption: str
    specification: dict[str, Any]
    data: dict[str, str]
    summary: str = ""


@dataclass(frozen=True)
class Gallery:
    """Every figure by the part of the page it belongs to, and the data of all of them by name."""

    frontiers: list[Figure] = field(default_factory=list)
    by_section: dict[str, list[Figure]] = field(default_factory=dict)
    profiles: list[Figure] = field(default_factory=list)
    heat: list[Figure] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """All of them."""
        boards = (figure for found in self.by_section.values() for figure in found)
        return [*self.frontiers, *boards, *self.profiles, *self.heat]


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
    return f"{board.task}, {origin(board.simulated, board.task)} data"


def backends(sections: Sequence[Section]) -> dict[str, Backend]:
    """The backend behind each label of the rows, in the order of the declarations."""
    found = {way.backend: way.row.backend for section in sections for way in section.ways}
    return {label: get(found[label]) for label in sorted(found, key=lambda label: (names().index(found[label]), label))}


def _frame(section: Section, what: str) -> Frame:
    board = section.board
    return Frame(
        source(board),
        board.simulated,
        f"{what}, {board_title(board)}",
        board.unit,
        tuple(series(way.row.optimiser for way in section.ways)),
        backends([section]),
    )


def _board_figures(
    section: Section, grid: reaching.Grid | None, records: Sequence[Record], data: dict[str, Any]
) -> list[Figure]:
    found = [_learning(section, data), _reaching(section, grid), _bound(section, data), _rates(section, records, data)]
    return [figure for figure in found if figure is not None]


def _learning(section: Section, data: dict[str, Any]) -> Figure | None:
    curves, levels = f"curves-{section.key}", f"levels-train-{section.key}"
    data[curves], data[levels] = learning_curves(section), bounds.levels(section, "train")
    if not data[curves]:
        return None
    frame = _frame(section, "Learning curves: training RMS over cost, one line per optimiser")
    start = max(max(curve["high"][:1], default=0.0) for curve in data[curves])
    return Figure(
        f"learning-{section.key}",
        "Learning curves",
        frame,
        f"Training RMS in {frame.unit} over what it cost: mean over seeds, the band one standard deviation to "
        "either side. Dotted lines are the trivial predictors. Both axes are logarithmic.",
        learning_chart(frame, domain=bounds.rms_range(section, "train", start=start)),
        {"curves": curves, "levels": levels},
    )


def _reaching(section: Section, grid: reaching.Grid | None) -> Figure | None:
    if grid is None:
        return None
    frame = _frame(section, "Cost to reach the target, one line per optimiser")
    specification, summary = reaching_chart(frame, board=section.key, grid=grid)
    return Figure(
        f"reaching-{section.key}",
        "Cost to reach the target",
        frame,
        "Small marks are runs, one per seed; the large mark is their median. Open triangles are runs that "
        "ended short of the target, at what they had spent: they count as of infinite cost, so a median stands only "
        "where more than half arrived. Interpolated between iterations of the lowest training RMS so far.",
        specification,
        {"runs": "runs"},
        summary,
    )


def _bound(section: Section, data: dict[str, Any]) -> Figure | None:
    points, levels = f"bounds-{section.key}", f"levels-test-{section.key}"
    data[points], data[levels] = bounds.bound_points(section), bounds.levels(section, "test")
    if not data[points]:
        return None
    frame = _frame(section, "Test RMS against the Lipschitz bound, one mark per optimiser")
    certified = any(point["measured"] is not None for point in data[points])
    return Figure(
        f"bound-{section.key}",
        "Accuracy against the Lipschitz bound",
        frame,
        f"Test RMS in {frame.unit}, mean and one standard deviation, over the bound prod ||W_i||_op. The "
        "grey staircase is the front: nothing of the same backend is better in both. A line to the left of a mark ends "
        "at the largest ratio ||f(x) - f(x')|| / ||x - x'|| measured, which no valid bound can be below. Hollow: the "
        "default learning rate.",
        bound_chart(frame, domain=bounds.rms_range(section, "test"), certified=certified),
        {"bounds": points, "levels": levels},
    )


def _rates(section: Section, records: Sequence[Record], data: dict[str, Any]) -> Figure | None:
    key, points = f"rates-{section.key}", rate_points(section, records)
    if not points:
        return None
    data[key] = points
    searched = tuple(series(point["optimiser"] for point in points))
    frame = replace(_frame(section, "Final training RMS over the learning rate"), optimisers=searched)
    return Figure(
        key,
        "Learning-rate sensitivity",
        frame,
        "Final training RMS over the grid of each search: the best of the grid divided by that at the rate. "
        "1 is the best; 0 is a run that diverged or failed. A wide plateau means that tuning hardly matters.",
        rate_chart(frame),
        {"rates": key},
    )


def _profiles(sections: Sequence[Section], grid: reaching.Grid) -> list[Figure]:
    problems = reaching.common_problems(sections)
    if not problems:
        return []
    boards = "; ".join(source(section.board) for section in sections)
    frame = Frame(
        boards,
        any(section.board.simulated for section in sections),
        f"Performance profiles over {len(problems)} problems: {boards}",
        optimisers=tuple(series(solver["optimiser"] for solver in reaching.common_solvers(sections).values())),
        backends=backends(sections),
    )
    return [
        Figure(
            "profiles",
            "Performance profiles",
            frame,
            f"Share of {len(problems)} problems (a board and a seed each) that an optimiser solves at no more "
            "than so many times the cost of the cheapest one. At the left end: how often it is the cheapest. At the "
            "right end: how often it arrives at all. Only optimisers and seeds that every board has (Dolan and Moré, "
            f"2002). {boards}.",
            profile_chart(frame, grid=grid),
            {"problems": "runs"},
        )
    ]


_QUANTITIES = {"train RMS": "Training RMS", "test RMS": "Test RMS", "seconds": "Seconds per run"}


def _heat_figures(grid: heatmaps.Grid, data: dict[str, Any]) -> list[Figure]:
    found = []
    values, board = grid.values(), grid.board
    for quantity, words in _QUANTITIES.items():
        means = [value["mean"] for value in values if value["quantity"] == quantity]
        shown = words if quantity == "seconds" else f"{words} in {board.unit}"
        for side in ("measured", "published"):
            key = f"{grid.key}-{quantity}-{side}".replace(" ", "-")
            data[key] = [v for v in values if (v["quantity"], v["source"]) == (quantity, side)]
            simulated = board.simulated and side == "measured"
            measured = f"{board.task}, {grid.backend}, {origin(simulated, board.task)} data"
            where = measured if side == "measured" else PUBLISHED
            frame = Frame(where, simulated, f"{shown} over depth and width, {where}")
            chart = heat_chart(frame, quantity=quantity, domain=(min(means), max(means)))
            found.append(Figure(key, f"{shown}, {side}", frame, "", chart, {"cells": key}))
    return found
