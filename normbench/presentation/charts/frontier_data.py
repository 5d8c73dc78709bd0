"""What the chart of a frontier draws, as plain rows: lines, differences to the best, predictors and looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Cell, Line
from normbench.analysis.ways import Kind
from normbench.presentation.charts.looks import Looks, chosen_looks
from normbench.presentation.compact import significant
from normbench.presentation.frontiers import way_backend, way_name
from normbench.presentation.labels import predictor_name
from normbench.presentation.palette import variable
from normbench.presentation.tables import number

_HIGHLIGHTED = 9  # lines with colour and name; the others are grey
_ROOM = 1.04  # above and below what is drawn
SIDE = 1.12  # to the left and right of it
_EXCESS = ["name", "place", "bound", "excess", "low", "high"]  # of which there is no row where no bound is compared


@dataclass(frozen=True)
class Drawn:
    """What a chart of a frontier shows.

    Attributes
    ----------
    points : list of dict
        One a way and bound: ``name`` as in the key, ``optimiser``, ``kind``, ``place`` in
        its line, ``bound``, ``rms``, ``low``, ``high``, ``seeds``, ``certificate``, ``shown``, false for those that
        are grey, and ``banded``.
    excess : list of dict
        How much worse than the best at each bound in per cent, of those with colour: ``name, place, bound, excess,
        low, high``.
    trivial : list of dict
        ``predictor, rms`` of those within the domain.
    domain : tuple of float
        Test RMS at the lower and upper edge.
    bounds : tuple of float
        Certified, at the left and right edge.
    looks : Looks
        Of the names.
    """

    points: list[dict[str, Any]]
    excess: list[dict[str, Any]]
    trivial: list[dict[str, Any]]
    domain: tuple[float, float]
    bounds: tuple[float, float]
    looks: Looks


def drawn(frontier: Frontier) -> Drawn:
    """The lines of the frontier: ways at their bounds, sweeps and ceilings at their own certificates."""
    every = [*frontier.lines, *frontier.ceilings]
    names = _names(every)
    chosen = every if len(every) <= _HIGHLIGHTED + 1 else _chosen(frontier)
    banded = [*frontier.lines[:1], *(line for line in chosen if line.way.kind is Kind.SWEEP)]
    points = [
        point | {"shown": line in chosen, "banded": line in banded}
        for line, name in zip(every, names, strict=True)
        for point in _points(line, name)
    ]
    bounds = [point["bound"] for point in points]
    spanned = [value for p in points for value in (p["rms"], p["low"], p["high"]) if value is not None]
    domain = (
        min([value for value in spanned if value > 0] or [1.0]) / _ROOM,
        max(point["rms"] for point in points) * _ROOM,
    )
    return Drawn(
        points,
        [row for line, name in zip(every, names, strict=True) if line in chosen for row in _excess(line, name)],
        [level for level in _trivial(frontier) if domain[0] < level["rms"] < domain[1]],
        domain,
        (min(bounds) / SIDE, max(bounds) * SIDE),
        _looks([(name, line) for line, name in zip(every, names, strict=True) if line in chosen]),
    )


def _chosen(frontier: Frontier) -> list[Line]:
    """The best of the lines, all sweeps among them, and the best of the ceilings."""
    sweeps = [line for line in frontier.lines if line.way.kind is Kind.SWEEP][:3]
    free = sorted(frontier.ceilings, key=lambda line: line.points[0].interval.mean)[:1]
    others = [line for line in frontier.lines if line not in sweeps]
    return [*others[: _HIGHLIGHTED - len(sweeps) - len(free)], *sweeps, *free]


def _names(lines: Sequence[Line]) -> list[str]:
    """Names of the ways, with the backend where there are several."""
    several = len({way_backend(line) for line in lines}) > 1
    free = {Kind.CEILING: ", no bound"}
    return [
        way_name(line) + free.get(line.way.kind, "") + (f" ({way_backend(line)})" if several else "") for line in lines
    ]


def _points(line: Line, name: str) -> list[dict[str, Any]]:
    own = line.way.kind is not Kind.BOUND
    cells = [cell for cell in (line.points if own else line.cells) if cell.values]
    return [
        {
            "name": name,
            "optimiser": line.way.first.request.optimiser,
            "kind": str(line.way.kind),
            "place": place,
            "bound": significant(cell.certificate if own else cell.lipschitz or math.nan, 6),
            "rms": significant(cell.interval.mean, 6),
            "low": significant(cell.interval.low, 6),
            "high": significant(cell.interval.high, 6),
            "seeds": len(cell.values),
            "certificate": significant(cell.certificate, 4),
        }
        for place, cell in enumerate(cells)
    ]


def _excess(line: Line, name: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "place": place, "bound": cell.lipschitz} | _percent(cell)
        for place, cell in enumerate(line.cells)
        if cell.rank
    ]


def _percent(cell: Cell) -> dict[str, Any]:
    """Of the paired difference to the best, which differs by nothing from itself."""
    found = cell.difference
    figures = (found.mean, found.low, found.high) if found else (0.0, math.nan, math.nan)
    return dict(zip(("excess", "low", "high"), (significant(100 * value, 6) for value in figures), strict=True))


def _trivial(frontier: Frontier) -> list[dict[str, Any]]:
    """Test RMS of the predictors, each with its gain where that is known."""
    return [
        {
            "predictor": predictor_name(row) + (f", gain {number(row.gain, 0)}" if math.isfinite(row.gain) else ""),
            "rms": significant(row.test.mean, 5),
        }
        for row in frontier.predictors
    ]


def _looks(named: Sequence[tuple[str, Line]]) -> Looks:
    """Colour by optimiser; shape and dashes tell its parametrisations apart."""
    return chosen_looks([(name, variable(line.way.first.request.optimiser), k) for k, (name, line) in enumerate(named)])


def numbers(found: Drawn) -> pd.DataFrame:
    """Everything that is drawn, by panel."""
    left = pd.DataFrame(found.points).drop(columns=["place", "banded"]).rename(columns={"rms": "test_rms"})
    right = (
        pd.DataFrame(found.excess, columns=_EXCESS).drop(columns="place").rename(columns={"excess": "excess_percent"})
    )
    both = [left.assign(panel="test RMS"), right.assign(panel="compared at each bound")]
    return pd.concat(both, ignore_index=True).rename(columns={"bound": "lipschitz_bound", "shown": "coloured"})
