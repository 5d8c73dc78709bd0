"""A leaderboard in print: accuracy against the Lipschitz bound, and how much the learning rate matters."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from normbench.analysis.leaderboard import boards
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.presentation.charts.axes import decades
from normbench.presentation.charts.base import Layers
from normbench.presentation.charts.bounds import bound_layers
from normbench.presentation.charts.data import chosen, rows
from normbench.presentation.charts.lines import levels
from normbench.presentation.charts.looks import Looks, optimiser_looks, ordered_looks
from normbench.presentation.charts.rates import rate_layers
from normbench.presentation.charts.sheet import Picture, key, panel, sheet
from normbench.presentation.labels import board_tags, board_words, how, network_tag, where
from normbench.presentation.page.bounds import bound_points, rms_range
from normbench.presentation.page.bounds import levels as levels_of
from normbench.presentation.page.ways import Section, sections
from normbench.presentation.tables import number
from normbench.records.schema import Record

_NAMES = {"bound": "lipschitz_bound", "measured": "lipschitz_measured", "rms": "test_rms"}  # of the CSV
_COLUMNS = 4  # panels beside one another
_HEIGHT, _LINE = 250, 12  # pixels: of a front, and of a name in it


def board_pictures(records: Iterable[Record]) -> list[Picture]:
    """Every figure that the records have something for: a front per board, and the sensitivity of all grids."""
    every = list(records)
    fronts = [front(section) for section in sections(boards(every)) if len(front_rows(section)) > 1]
    searches = learning_rate_sensitivity(every)
    return [*fronts, *([sensitivity(searches)] if len(searches) else [])]


def front_rows(section: Section) -> pd.DataFrame:
    """Complete rows with test RMS and bound, every optimiser on one backend: if it can, that with most rows.

    The columns of :func:`normbench.presentation.page.bounds.bound_points`, and ``front`` where no other row is better
    in one of bound and RMS and no worse in the other.
    """
    whole = {(way.label, way.backend) for way in section.ways if not way.row.incomplete}
    usable = [point for point in bound_points(section) if (point["way"], point["backend"]) in whole]
    count = Counter(point["backend"] for point in usable)
    order = sorted(count, key=lambda name: (-count[name], name))
    first = {p["optimiser"]: p["backend"] for name in reversed(order) for p in usable if p["backend"] == name}
    table = pd.DataFrame([point for point in usable if point["backend"] == first[point["optimiser"]]])
    if table.empty:
        return table
    return table.assign(front=[not _dominated(point, table) for point in table.to_dict("records")])


def _dominated(point: dict[Any, Any], table: pd.DataFrame) -> bool:
    no_worse = (table["bound"] <= point["bound"]) & (table["rms"] <= point["rms"])
    better = (table["bound"] < point["bound"]) | (table["rms"] < point["rms"])
    return bool((no_worse & better).any())


def front(section: Section) -> Picture:
    """Test RMS over the Lipschitz bound, one mark a row, with the front that no row is beyond."""
    data, board = front_rows(section), section.board
    looks = optimiser_looks(data["optimiser"])
    points, trivial = (
        alt.Chart(rows(data)),
        pd.DataFrame(levels_of(section, "test"), columns=["predictor", "rms"]),
    )
    panels = [
        panel(
            levels(rows(_apart(trivial[trivial["rms"].between(*domain)], domain)), align="left"),
            *bound_layers(
                points,
                unit=board.unit,
                domain=domain,
                certified=bool(data["measured"].notna().any()),
                colours=looks.colours,
                shapes=looks.shape("optimiser"),
                gains=decades([*data["measured"], *data["bound"]]),
            ),
            title=title,
            width=218,
            height=_HEIGHT,
        )
        for title, domain in (
            ("all rows", rms_range(section, "test")),
            ("the best of them", _best_range(section, data)),
        )
    ]
    chart = sheet(
        f"Accuracy against the Lipschitz bound: {board.task}, {origin(board.simulated, board.task)} data",
        f"Network {', '.join([layers_text(board.layers), f'{board.split} split', *board_words(board.runs[0])])}, "
        f"{_backends(data)}; mean and sd over "
        f"{_seeds(data)} seeds. The bound is the smallest that was proven. Filled: not tuned, or best of "
        "a grid; hollow: default learning rate. Line to the left: down to the largest gain that was measured on "
        "pairs of inputs. Stairs: the Pareto front. Dotted: predictors without an optimiser. Both axes are "
        "logarithmic.",
        panels,
        columns=2,
        legend=key(looks, lines=False),
    )
    return Picture(_front_name(section), chart, data.rename(columns=_NAMES | {"front": "on_front"}))


def _apart(known: pd.DataFrame, domain: tuple[float, float]) -> pd.DataFrame:
    """Names beside their lines, but under them where the next line is so close that the names would touch."""
    ordered = known.sort_values("rms")
    gap = (np.log(ordered["rms"]) * _HEIGHT / math.log(domain[1] / domain[0])).diff().shift(-1)
    return ordered.assign(baseline=np.where(gap < _LINE, "top", "middle"))


def _front_name(section: Section) -> str:
    run = section.board.runs[0]
    return "-".join(["pareto", network_tag(run), *board_tags(run)])


def _backends(data: pd.DataFrame) -> str:
    """``jax``, or ``jax (torch: muon)`` where an optimiser is not on the first backend."""
    first, *others = data["backend"].value_counts().index
    rest = [f"{name}: {', '.join(data.loc[data['backend'] == name, 'optimiser'].unique())}" for name in others]
    return f"{first} ({'; '.join(rest)})" if rest else str(first)


def _seeds(data: pd.DataFrame) -> str:
    low, high = data["seeds"].min(), data["seeds"].max()
    return str(low) if low == high else f"{low} to {high}"


def _best_range(section: Section, data: pd.DataFrame) -> tuple[float, float]:
    """From below the best row to above the linear predictor, or a sixth above the best."""
    best = min(data.to_dict("records"), key=lambda point: point["rms"])
    linear = max((row["rms"] for row in levels_of(section, "test") if row["predictor"] == "linear"), default=0.0)
    return min(best["low"], best["rms"]) - 0.02 * best["rms"], max(best["rms"] * 7 / 6, 1.03 * linear)


def sensitivity(searches: pd.DataFrame) -> Picture:
    """Best error over error at each learning rate, a panel per optimiser, a line per task and network.

    Parameters
    ----------
    searches : DataFrame
        From :func:`normbench.analysis.sensitivity.learning_rate_sensitivity`.
    """
    found = _labelled(searches)
    data = found.assign(line=_line_names(found))
    looks = ordered_looks(list(data["line"].unique()))
    drawn = data[["optimiser", "line", "seed", "value", "ratio", "is_default"]]
    panels = [
        _rates(chosen(drawn, {"optimiser": optimiser}), looks, str(optimiser))
        for optimiser in data["optimiser"].unique()
    ]
    chart = sheet(
        f"Learning-rate sensitivity (Fromage, figure 4): {_kind(data)} data",
        "Final training RMS at the best value of each grid over that at every value; 1 is the best, 0 a run that gave "
        f"no result. Rings: defaults. {_searched_seeds(data)} each, {_iterations(data)} iterations.",
        panels,
        columns=_COLUMNS,
        legend=key(looks),
    )
    return Picture("fromage-figure4", chart, data.drop(columns="line"))


def _rates(data: pd.DataFrame, looks: Looks, optimiser: str) -> Layers:
    points = alt.Chart(rows(data)).encode(color=looks.colour("line"), detail="seed:N")
    rings = points.transform_filter("datum.is_default").mark_point(size=160, stroke="var(--muted)", filled=False)
    layers = rate_layers(points, dash=looks.dash("line"), shape=looks.shape("line"), values=decades(data["value"]))
    return panel(*layers, rings.encode(x="value:Q", y="ratio:Q"), title=optimiser, width=84, height=130)


def _line_names(searches: pd.DataFrame) -> pd.Series:
    """Task, data and backend, with network, split and iterations where they differ, and what is unusual."""
    names = searches["task"].copy()
    for column in ("layers", "split"):
        if searches[column].nunique() > 1:
            names += " " + searches[column]
    names += [f"\n({word}) " for word in _origins(searches)] + searches["where"]
    if (searches.groupby([names, searches["optimiser"], searches["setting"]])["iterations"].nunique() > 1).any():
        names += ", " + searches["iterations"].astype(str) + " it."
    return names + searches["setting"].map(lambda words: f", {words}" if words else "")


def _kind(data: pd.DataFrame) -> str:
    return " and ".join(sorted(set(_origins(data))))


def _origins(data: pd.DataFrame) -> list[str]:
    return [origin(bool(flag), task) for flag, task in zip(data["simulated"], data["task"], strict=True)]


def _searched_seeds(data: pd.DataFrame) -> str:
    counts = data.groupby(["optimiser", "line"])["seed"].nunique()
    low, high = counts.min(), counts.max()
    return "One seed" if high == 1 else f"{high} seeds" if low == high else f"{low} to {high} seeds"


def _iterations(data: pd.DataFrame) -> str:
    low, high = data["iterations"].min(), data["iterations"].max()
    return number(low, 0) if low == high else f"{low} to {high}"


def _labelled(searches: pd.DataFrame) -> pd.DataFrame:
    """The searches in words: ``where`` says backend, device and dtype, ``setting`` what is not as usual."""
    runs = searches["record"]
    place = list(searches.columns).index("simulated") + 1
    found = searches.assign(layers=searches["layers"].map(layers_text), record=[run.record_id for run in runs])
    found.insert(place, "where", [where(run) for run in runs])
    found.insert(place + 1, "setting", [", ".join(how(run)) for run in runs])
    return found
