"""A frontier in words: what its columns are, how its cells are written, and what is said under it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from normbench.analysis.answer import Place
from normbench.analysis.budget import Lost
from normbench.analysis.compare import Direction
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Cell, Line
from normbench.analysis.statistics import RESAMPLES
from normbench.analysis.tuning import Rule
from normbench.analysis.ways import SCALE
from normbench.presentation.cells import rank_span
from normbench.presentation.labels import how, network_title, where
from normbench.presentation.quantity import Quantity
from normbench.presentation.tables import number, percent, stars
from normbench.specs.values import Value, value_text

BEST = "▼"
_SHORT = {
    Lost.NOT_RUN: "",
    Lost.OUTSIDE: "–",
    Lost.FAILED: "failed",
    Lost.ABOVE: "above L",
    Lost.UNCERTIFIED: "no proof",
    Lost.UNCOUNTED: "no counts",
    Lost.SHORT: "short",
}


class Shown(NamedTuple):
    """A line of a frontier, as the columns take it."""

    frontier: Frontier
    line: Line

    @property
    def place(self) -> Place | None:
        """Where the way comes out over all bounds, if it has them all."""
        return self.frontier.places.get(self.line.way.key)


def shown(frontier: Frontier) -> list[Shown]:
    """The ways at a bound, in their order."""
    return [Shown(frontier, line) for line in frontier.lines]


def ceilings(frontier: Frontier) -> list[Shown]:
    """The ways without a bound."""
    return [Shown(frontier, line) for line in frontier.ceilings]


def title(frontier: Frontier) -> str:
    """One line; says SIMULATED where the data are."""
    first = frontier.first
    named = network_title(first, without=("lipschitz",))
    return f"{named}: test RMS in {first.outcome.unit} at a certified bound L, {evaluations(frontier.budget)}"


def evaluations(budget: float) -> str:
    """``after 1,000 evaluations``."""
    return f"after {budget:,.0f} evaluations"


def way_name(line: Line) -> str:
    """``adam spectral, default rate``: what was run, without its backend."""
    first = line.way.first
    scaled = ["scaled"] if first.request.output_scale is not None else []
    name = " ".join([first.request.optimiser, *how(first, without=(SCALE,)), *scaled])
    untuned = {Rule.DEFAULT, Rule.GIVEN} & {*(line.tunings[0].rules if line.tunings and not _cost(line) else ())}
    return ", ".join([name, *untuned])


def way_backend(line: Line) -> str:
    """``jax``, with device and precision where they are unusual."""
    return where(line.way.first)


def way_title(line: Line) -> str:
    """``adam spectral (jax)``."""
    return f"{way_name(line)} ({way_backend(line)})"


def _cost(line: Line) -> int:
    """Runs of the dearest search at a bound."""
    return max((tuning.cost for tuning in line.tunings), default=0)


def tuning_words(line: Line) -> str:
    """``5 runs a bound: 0.003 to 0.01 †``, ``24 runs a bound: 0.03, momentum 0.8 to 0.9``, ``default 0.1``, "none"."""
    text = _range(tuning.value for tuning in line.tunings)
    if not text:
        return "none"
    if not _cost(line):
        return f"default {text}"
    seconds = [tuning.second for tuning in line.tunings if tuning.second]
    if seconds:
        text = f"{text}, {seconds[0].name} {_range(second.value for second in seconds)}"
    return f"{price_words(line)}: {text}" + (" †" if any(t.on_edge for t in line.tunings) else "")


def _range(values: Iterable[Value]) -> str:
    """``0.003 to 0.01``, the one value, each of several numbers at a time, or "" where there is none."""
    given = set(values)
    known = sorted(value for value in given if isinstance(value, int | float))
    if several := sorted(value for value in given if isinstance(value, tuple)):
        return " or ".join(map(value_text, several))
    return " to ".join(value_text(value) for value in dict.fromkeys((*known[:1], *known[-1:])))


def price_words(line: Line) -> str:
    """``5 runs a bound``, or as :func:`tuning_words` where nothing was searched."""
    return f"{_cost(line)} runs a bound" if _cost(line) else tuning_words(line)


def cell_words(cell: Cell, note: str = "") -> str:
    """``▼0.976``, ``1.015 **``, ``1.010 (2/3)`` where seeds are missing, or why there is none.

    A note stands behind the mean.
    """
    if not cell.values:
        reasons = set(cell.lost.values())
        return _SHORT[min(reasons, key=list(Lost).index, default=Lost.NOT_RUN)] if len(reasons) < 2 else "lost"
    value = number(cell.interval.mean) + note
    if cell.lost:
        return f"{value} ({len(cell.values)}/{len(cell.values) + len(cell.lost)})"
    if cell.rank and cell.rank.rank == 1:
        return BEST + value
    return f"{value} {stars(cell.difference.p_value)}".rstrip() if cell.difference else value


def cell_detail(cell: Cell) -> str:
    """``+4.0 %, 3 (3-4)``: difference to the best at the bound, and the rank with its span."""
    if not cell.rank:
        return ""
    difference = f"{percent(cell.difference.mean)}, " if cell.difference else ""
    return difference + rank_span(cell.rank)


def _excess(one: Shown) -> float:
    return one.place.excess.mean if one.place else math.nan


def excess_span(one: Any) -> str:
    """``+0.8 % to +8.9 %``: where 95 % of the resamples put the way, or ""."""
    known = one.place and math.isfinite(one.place.excess.low)
    return f"{percent(one.place.excess.low)} to {percent(one.place.excess.high)}" if known else ""


PLACE = Quantity(
    name="rank",
    header="rank",
    meaning="by the last column; in brackets where 95 % of the resamples of the seeds put the way. A way that lacks a "
    "seed or a bound has none",
    value=lambda one: one.place and one.place.rank.rank,
    words=lambda one: rank_span(one.place.rank) if one.place else "–",
    leaves=1,
)
WAY = Quantity(
    name="way",
    header="way of training",
    meaning="optimiser, parametrisation and what else is not as usual",
    value=lambda one: way_name(one.line),
    words=lambda one: way_name(one.line),
    numeric=False,
)
BACKEND = Quantity(
    name="where",
    header="backend",
    meaning="what computed",
    value=lambda one: way_backend(one.line),
    words=lambda one: way_backend(one.line),
    numeric=False,
    leaves=4,
)
TUNING = Quantity(
    name="tuning",
    header="tuning needed",
    meaning="what a user has to tune: runs that a search cost at each bound, and the values that it chose. † a value "
    "lies at an end of its grid",
    value=lambda one: _cost(one.line),
    words=lambda one: tuning_words(one.line),
    numeric=False,
    leaves=3,
)
OVERALL = Quantity(
    name="excess",
    header="over all L",
    meaning="how much worse than the best at each bound: exp of the integral over log L of log(RMS / best RMS), over "
    "the bounds that the ranked ways have",
    value=_excess,
    words=lambda one: percent(_excess(one)),
    detail=excess_span,
    better=Direction.LOWER,
)


def columns(frontier: Frontier) -> list[Quantity]:
    """Of the table of a frontier."""
    first, last = ([PLACE], [OVERALL]) if frontier.places else ([], [])
    return [*first, WAY, BACKEND, TUNING, *at_bounds(frontier), *last]


def at_bounds(frontier: Frontier) -> list[Quantity]:
    """Those columns that are one a bound."""
    return [_at(k, frontier) for k in range(len(frontier.bounds))]


def _at(k: int, frontier: Frontier) -> Quantity:
    return Quantity(
        name=f"test_rms_at_{frontier.bounds[k]:g}",
        header=f"L = {frontier.bounds[k]:g}",
        meaning=f"test RMS, mean over seeds; {BEST} the lowest of the column. * p < 0.05, ** p < 0.01, *** p < 0.001: "
        "worse than that, by the paired t test on log-ratios with Holm's correction over all pairs at all bounds. "
        "In brackets how many seeds have a value; such a mean has no rank",
        value=lambda one: one.line.cells[k].interval.mean,
        words=lambda one: cell_words(one.line.cells[k]),
        detail=lambda one: cell_detail(one.line.cells[k]),
        unit=frontier.first.outcome.unit,
        better=Direction.LOWER,
        leaves=2 if 0 < k < len(frontier.bounds) - 1 and k % 2 else 0,
    )


def ceiling_columns(unit: str) -> list[Quantity]:
    """Of the table of the ways without a bound."""
    return [WAY, BACKEND, TUNING, _CEILING_RMS, replace(_CERTIFIED, unit=unit)]


_CEILING_RMS = Quantity(
    name="ceiling_rms",
    header="test RMS",
    meaning="mean over seeds",
    value=lambda one: one.line.points[0].interval.mean,
    words=lambda one: cell_words(one.line.points[0]),
)


_CERTIFIED = Quantity(
    name="certificate",
    header="certified bound",
    meaning="mean over seeds of the smallest bound that was proven after training",
    value=lambda one: one.line.points[0].certificate,
    digits=2,
)


def legend(frontiers: Sequence[Frontier]) -> list[str]:
    """How to read the columns, and what an evaluation is."""
    if not frontiers:
        return []
    at = at_bounds(frontiers[0])[0]
    others = [column for column in columns(frontiers[0]) if column in (PLACE, WAY, BACKEND, TUNING)]
    return [
        "An evaluation is a gradient, with the loss that comes with it, or a second derivative along a curve; a loss "
        "alone is half of one. The test RMS is read between the checkpoints on either side of the budget, never beyond "
        "what was run.",
        "The figure at L is that of networks whose certificate is at most L. Sweeps, whose norms are fixed and whose "
        "certificates lie well below the bound that they name, are read at their own certificates, linearly in log L "
        "between the runs on either side; – where L lies outside of these.",
        *(column.legend for column in others),
        replace(at, header="L = ...").legend,
        *([OVERALL.legend] if frontiers[0].places else []),
        f"Intervals, spans and the resamples behind them: {RESAMPLES:,} draws of the seeds, one draw for all ways.",
    ]


def seeds_named(seeds: Sequence[int]) -> str:
    """``seeds 0 to 9``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {span(seeds)}"


def span(seeds: Sequence[int]) -> str:
    """``0 to 9``, or the seeds one by one where there are gaps."""
    whole = len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
