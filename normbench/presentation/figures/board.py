"""What a leaderboard looks like: accuracy against the Lipschitz bound, and how much the learning rate matters."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from normbench.analysis.leaderboard import Board, Row, boards
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.presentation.figures.style import (
    GUIDE,
    TWO_COLUMNS,
    Looks,
    Picture,
    canvas,
    entitle,
    finish,
    level_line,
    lines,
    optimiser_looks,
    ordered_looks,
    printed,
)
from normbench.presentation.labels import labelled, tuning_label
from normbench.presentation.quantities import BOUND, MEASURED
from normbench.presentation.tables import number
from normbench.records.schema import Record

_COLUMNS = 5  # panels beside one another


def board_pictures(records: Iterable[Record]) -> list[Picture]:
    """Every figure that the records have something for: a front per board, and the sensitivity of all grids."""
    every = list(records)
    fronts = [front(board) for board in boards(every) if len(front_rows(board)) > 1]
    searches = learning_rate_sensitivity(every)
    return [*fronts, *([sensitivity(searches)] if len(searches) else [])]


def front_rows(board: Board) -> pd.DataFrame:
    """Rows with test RMS, bound and measured gain, every optimiser on one backend: if it can, that with most rows.

    ``optimiser, tuning, backend, seeds, lipschitz_bound, lipschitz_measured, test_rms, test_rms_sd, on_front``;
    ``on_front`` where no other row is better in one of bound and RMS and no worse in the other.
    """
    usable = [row for row in board.optimisers if not row.incomplete and _placed(row)]
    backends = [row.backend for row in usable]
    order = sorted(set(backends), key=lambda name: (-backends.count(name), name))
    first = {row.optimiser: row.backend for name in reversed(order) for row in usable if row.backend == name}
    table = pd.DataFrame([_front_row(row) for row in usable if row.backend == first[row.optimiser]])
    if table.empty:
        return table
    points = table[["lipschitz_bound", "test_rms"]].to_numpy()
    return table.assign(on_front=[not _dominated(point, points) for point in points])


def _placed(row: Row) -> bool:
    return math.isfinite(row.test.mean) and math.isfinite(BOUND.value(row))


def _front_row(row: Row) -> dict[str, Any]:
    return {
        "optimiser": row.optimiser,
        "tuning": tuning_label(row),
        "backend": row.backend,
        "seeds": row.runs,
        BOUND.name: BOUND.value(row),
        MEASURED.name: MEASURED.value(row),
        "test_rms": row.test.mean,
        "test_rms_sd": row.test.sd,
    }


def _dominated(point: np.ndarray, points: np.ndarray) -> bool:
    return bool(((points <= point).all(axis=1) & (points < point).any(axis=1)).any())


def front(board: Board) -> Picture:
    """Test RMS over the Lipschitz bound, one point a row, with the front that no row is beyond."""
    data = front_rows(board)
    looks = optimiser_looks(data["optimiser"])
    with printed():
        figure, (panels,) = canvas(1, 2, width=TWO_COLUMNS, height=3.2, sharex=True)
        for panel in panels:
            _plane(panel, data, board, looks)
        panels[0].set_title("all rows")
        panels[1].set(title="the best of them", ylim=_best_range(data, board))
        _front_legend(figure, data, looks)
        entitle(
            figure,
            f"Accuracy against the Lipschitz bound: {board.task}, {'SIMULATED' if board.simulated else 'real'} data",
            f"Network {'-'.join(map(str, board.layers))}, {board.split} split, {_backends(data)}; mean and sd "
            f"over {_seeds(data)} seeds. The bound is the product of the layers' operator norms. Filled: not tuned, "
            "or best of a grid; hollow: default learning rate. Thin line to the left: down to the largest gain that "
            "was measured on pairs of inputs. Stairs: the Pareto front. Dotted: predictors without an optimiser.",
        )
    return Picture(_front_name(board), figure, data)


def _front_name(board: Board) -> str:
    split = "" if board.split == "random" else f"-{board.split}"
    return f"pareto-{board.task}-{'-'.join(map(str, board.layers))}{split}"


def _backends(data: pd.DataFrame) -> str:
    """``jax``, or ``jax (torch: muon)`` where an optimiser is not on the first backend."""
    first, *others = data["backend"].value_counts().index
    rest = [f"{name}: {', '.join(data.loc[data['backend'] == name, 'optimiser'].unique())}" for name in others]
    return f"{first} ({'; '.join(rest)})" if rest else str(first)


def _seeds(data: pd.DataFrame) -> str:
    low, high = data["seeds"].min(), data["seeds"].max()
    return str(low) if low == high else f"{low} to {high}"


def _plane(panel: Axes, data: pd.DataFrame, board: Board, looks: Looks) -> None:
    for point in data.to_dict("records"):
        _point(panel, point, looks)
    stairs = data[data["on_front"]].sort_values("lipschitz_bound")
    panel.step(stairs["lipschitz_bound"], stairs["test_rms"], where="post", color=GUIDE, linewidth=0.8, zorder=1)
    for row in board.predictors:
        level_line(panel, row.optimiser, row.test.mean)
    label = f"Lipschitz bound in {board.unit} per unit-norm input"
    panel.set(xscale="log", xlabel=label, ylabel=f"test RMS in {board.unit}")
    panel.xaxis.set_major_locator(LogLocator(numticks=6))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())  # labels of 20, 30, 40, ... would lie on each other
    finish(panel)


def _best_range(data: pd.DataFrame, board: Board) -> tuple[float, float]:
    """From below the best row to above the linear predictor, or a sixth above the best."""
    rms, sd = data.nsmallest(1, "test_rms")[["test_rms", "test_rms_sd"]].to_numpy(float)[0]
    linear = max((row.test.mean for row in board.rows if row.optimiser == "linear"), default=0.0)
    return rms - max(1.3 * float(np.nan_to_num(sd)), 0.02 * rms), max(rms * 7 / 6, 1.03 * linear)


def _point(panel: Axes, row: dict[Any, Any], looks: Looks) -> None:
    colour = looks.palette[row["optimiser"]]
    hollow = row["tuning"].startswith("default")
    panel.errorbar(
        row["lipschitz_bound"], row["test_rms"], row["test_rms_sd"] if row["test_rms_sd"] >= 0 else None, color=colour,
        marker=looks.markers[row["optimiser"]], markerfacecolor="white" if hollow else colour, markersize=5,
        linewidth=0.8, capsize=2, zorder=3,
    )  # fmt: skip
    if math.isfinite(row["lipschitz_measured"]):
        ends = [row["lipschitz_measured"], row["lipschitz_bound"]]
        panel.plot(ends, [row["test_rms"]] * 2, color=colour, linewidth=0.6, marker="|", markersize=3, markevery=[0])


def _front_legend(figure: Figure, data: pd.DataFrame, looks: Looks) -> None:
    handles = [
        Line2D([], [], color=colour, marker=looks.markers[key], linestyle="", label=key)
        for key, colour in looks.palette.items()
    ]
    figure.legend(handles=handles, loc="outside right center", handlelength=1.2)


def sensitivity(searches: pd.DataFrame) -> Picture:
    """Best error over error at each learning rate, a panel per optimiser, a line per task and network.

    Parameters
    ----------
    searches : DataFrame
        From :func:`normbench.analysis.sensitivity.learning_rate_sensitivity`.
    """
    found = labelled(searches)
    data = found.assign(line=_line_names(found))
    optimisers = list(data["optimiser"].unique())
    looks = ordered_looks(list(data["line"].unique()))
    columns = min(_COLUMNS, len(optimisers))
    with printed():
        rows = math.ceil(len(optimisers) / columns)
        figure, panels = canvas(rows, columns, width=TWO_COLUMNS, height=1.2 + 1.6 * rows, sharey=True)
        for panel, optimiser in zip(panels.flat, optimisers, strict=False):
            _rates(panel, data[data["optimiser"] == optimiser], looks)
            panel.set_title(optimiser)
        for panel in panels.flat[len(optimisers) :]:
            panel.set_visible(False)
        figure.supylabel("best RMS / RMS", fontsize=8)
        entitle(
            figure,
            f"Learning-rate sensitivity (Fromage, figure 4): {_kind(data)} data",
            "Final training RMS at the best value of each grid over that at every value; 1 is the best, 0 a run that "
            f"gave no result. Rings: defaults. One seed each, {_iterations(data)} iterations.",
        )
        entries = [panel.get_legend_handles_labels() for panel in panels.flat]
        by_label = {label: handle for handles, labels in entries for handle, label in zip(handles, labels, strict=True)}
        figure.legend(by_label.values(), by_label.keys(), loc="outside right center")
    return Picture("fromage-figure4", figure, data.drop(columns="line"))


def _line_names(searches: pd.DataFrame) -> pd.Series:
    """Task, data and backend, with network, split and iterations where they differ, and what is unusual."""
    names = searches["task"].copy()
    for column in ("layers", "split"):
        if searches[column].nunique() > 1:
            names += " " + searches[column]
    names += searches["simulated"].map({True: " (SIMULATED)\n", False: " (real)\n"}) + searches["where"]
    if (searches.groupby([names, searches["optimiser"], searches["setting"]])["iterations"].nunique() > 1).any():
        names += ", " + searches["iterations"].astype(str) + " it."
    return names + searches["setting"].map(lambda words: f", {words}" if words else "")


def _kind(data: pd.DataFrame) -> str:
    kinds = {True: "SIMULATED", False: "real"}
    return " and ".join(kinds[bool(flag)] for flag in sorted(data["simulated"].unique(), reverse=True))


def _iterations(data: pd.DataFrame) -> str:
    low, high = data["iterations"].min(), data["iterations"].max()
    return number(low, 0) if low == high else f"{low} to {high}"


def _rates(panel: Axes, data: pd.DataFrame, looks: Looks) -> None:
    lines(panel, data, x="value", y="ratio", by="line", looks=looks, marked=True)
    defaults = data[data["is_default"]]
    panel.scatter(defaults["value"], defaults["ratio"], s=70, facecolors="none", edgecolors=GUIDE, linewidths=0.8)
    panel.set(xscale="log", ylim=(-0.05, 1.08), xlabel="learning rate", ylabel="")
    finish(panel)
