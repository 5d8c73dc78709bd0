"""Rows of the published boards and frontiers for a page: what results/leaderboard.csv and frontier.csv hold."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.site.markdown import code, dropdown, section, table, text, together
from normbench.analysis.statistics import Spread
from normbench.data.dataset import origin
from normbench.presentation.frontiers import BEST
from normbench.presentation.tables import mean_sd, number, percent, stars

Row = dict[str, str]
_BOARD = ("task", "simulated", "unit", "split", "layers", "lipschitz")
_FRONTIER = ("task", "simulated", "unit", "split", "layers", "evaluations")
_FAILURES = ("stalled", "diverged", "failed")


@dataclass(frozen=True)
class Published:
    """The rows of the boards and of the frontiers."""

    boards: Sequence[Row]
    frontiers: Sequence[Row]


def read(results: Path) -> Published:
    """The files of a folder; no rows of one that is missing."""
    return Published(_rows(results / "leaderboard.csv"), _rows(results / "frontier.csv"))


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _grouped(rows: Iterable[Row], fields: Sequence[str]) -> list[list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in fields), []).append(row)
    return list(groups.values())


def _number(row: Row, name: str) -> float:
    return float(row.get(name) or math.nan)


def title(row: Row) -> str:
    """``neural-fly (real data), 12-25-30-15-3, random split, after 200 evaluations``: a board or a frontier."""
    words = [f"{row['task']} ({origin(row['simulated'] == 'True')} data)", row["layers"], f"{row['split']} split"]
    if row.get("evaluations"):
        return ", ".join([*words, f"after {_number(row, 'evaluations'):,.0f} evaluations"])
    return ", ".join([*words, *([f"L = {_number(row, 'lipschitz'):g}"] if row.get("lipschitz") else [])])


def best_ranks(published: Published, wanted: Callable[[Row], bool]) -> tuple[str, str]:
    """``1 of 44, digits``: the best place on a board and over all bounds of a frontier; "–" where there is none."""
    at_bounds = [row for row in published.frontiers if row["role"] == "at L"]
    return _best(published.boards, _BOARD, "rank", wanted), _best(at_bounds, _FRONTIER, "overall_rank", wanted)


def _best(rows: Iterable[Row], fields: Sequence[str], rank: str, wanted: Callable[[Row], bool]) -> str:
    places = []
    for group in _grouped(rows, fields):
        ranks = {_number(row, rank): wanted(row) for row in reversed(group) if row[rank]}
        last = max(ranks, default=0.0)
        own = [_number(row, rank) for row in group if row[rank] and wanted(row)]
        places += [(min(own), -last, group[0]["task"])] if own else []
    if not places:
        return "–"
    place, last, task = min(places)
    return f"{place:.0f} of {-last:.0f}, {task}"


def board_sections(published: Published, wanted: Callable[[Row], bool]) -> list[str]:
    """A table for each board on which the rows are."""
    return [line for group in _grouped(published.boards, _BOARD) for line in _board(group, wanted)]


def _board(group: Sequence[Row], wanted: Callable[[Row], bool]) -> list[str]:
    rows = [row for row in group if row["kind"] == "optimiser" and wanted(row)]
    if not rows:
        return []
    linear = next((row for row in group if row["kind"] == "predictor" and row["optimiser"] == "linear"), None)
    unit = rows[0]["unit"]
    ranked = max((int(row["rank"]) for row in group if row["rank"]), default=0)
    said = f"{ranked} rows have a rank." + (
        f" A linear fit has {number(_number(linear, 'test_rms_mean'))} {unit}." if linear else ""
    )
    header = ["rank", "backend", "tuning needed", "iterations", f"test RMS in {unit}", "vs best", "bound", "failures"]
    body = table(header, map(_board_cells, rows))
    return section(text(title(rows[0])), [said, "", *body, *_commands(rows)], level=3)


def _board_cells(row: Row) -> list[str]:
    return [
        _rank(row, "rank"),
        row["backend"],
        text(row["tuning"]),
        row["iterations"],
        _mean_sd(row),
        _versus_best(row),
        number(_number(row, "lipschitz_bound"), 2),
        ", ".join(f"{row[name]} {name}" for name in _FAILURES if int(row[name] or 0)) or "none",
    ]


def _rank(row: Row, name: str) -> str:
    return together(f"{row[name]} ({row[name + '_low']}-{row[name + '_high']})") if row[name] else "–"


def _mean_sd(row: Row) -> str:
    return together(mean_sd(Spread(_number(row, "test_rms_mean"), _number(row, "test_rms_sd"), int(row["seeds"]))))


def _versus_best(row: Row) -> str:
    if not row["vs_best_mean"]:
        return "best" if row["rank"] == "1" else ""
    return together(f"{percent(_number(row, 'vs_best_mean'))} {_stars(row)}".rstrip())


def _stars(row: Row) -> str:
    return stars(_number(row, "vs_best_p_value")).replace("*", r"\*")


def frontier_sections(published: Published, wanted: Callable[[Row], bool]) -> list[str]:
    """A table for each frontier on which the rows are: ways of training, and the test RMS at every bound."""
    return [line for group in _grouped(published.frontiers, _FRONTIER) for line in _frontier(group, wanted)]


def _frontier(group: Sequence[Row], wanted: Callable[[Row], bool]) -> list[str]:
    at_bounds = [row for row in group if row["role"] == "at L"]
    chosen = [row for row in group if row["role"] == "bound chosen"]
    own = [ways[0] for ways in _ways(at_bounds) if wanted(ways[0])]
    without = [row for row in group if (row["role"], row["kind"]) == ("point", "no bound") and wanted(row)]
    if not (own or without):
        return []
    bounds = sorted({_number(row, "lipschitz") for row in at_bounds})
    ranked = max((int(row["overall_rank"]) for row in at_bounds if row["overall_rank"]), default=0)
    header = ["rank", "way of training", "tuning needed", *(f"L = {bound:g}" for bound in bounds), "over all L"]
    cells = [_way_cells(ways, bounds, header) for ways in _ways(at_bounds) if wanted(ways[0])]
    body = [f"Test RMS in {(own or without)[0]['unit']}; {ranked} ways have a rank.", ""]
    body += table(header, cells) if cells else []
    body += _where_chosen([ways[0] for ways in _ways(chosen) if wanted(ways[0])])
    for row in without:
        proven = number(_number(row, "lipschitz_certificate"), 2)
        body += [f"Without a bound {text(row['way'])} ({row['backend']}) has {_mean_sd(row)} at a proven {proven}.", ""]
    return section(text(title((own or without)[0])), [*body, *_commands([*own, *without])], level=3)


def _ways(rows: Iterable[Row]) -> list[list[Row]]:
    return _grouped(rows, ("way", "backend", "device", "dtype"))


def _way_cells(ways: Sequence[Row], bounds: Sequence[float], header: Sequence[str]) -> list[str]:
    first, at = ways[0], {_number(row, "lipschitz"): row for row in ways}
    name = f"{text(first['way'])} ({first['backend']})"
    cells = [_cell(at[bound]) if bound in at else "–" for bound in bounds]
    return [_rank(first, "overall_rank"), name, text(first["tuning"]), *cells, percent(_number(first, "excess"))]


def _cell(row: Row) -> str:
    value = number(_number(row, "test_rms_mean"))
    lost = len(json.loads(row["lost"] or "{}"))
    if not value:
        return "–"
    if lost:
        return together(f"{value} ({row['seeds']}/{int(row['seeds']) + lost})")
    return BEST + value if row["rank"] == "1" else together(f"{value} {_stars(row)}".rstrip())


def _where_chosen(ways: Sequence[Row]) -> list[str]:
    said = [
        f"{text(row['way'])} rank {_rank(row, 'overall_rank')}, {percent(_number(row, 'excess'))}"
        for row in ways
        if row["overall_rank"]
    ]
    return [f"Where a validation part chooses the bound, none above L: {'; '.join(said)}.", ""] if said else []


def _commands(rows: Iterable[Row]) -> list[str]:
    made = dict.fromkeys(one for row in rows for one in row["command"].split("; ") if one)
    return dropdown("The commands that made these rows", code("\n\n".join(made), "bash")) if made else []
