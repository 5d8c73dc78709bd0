"""The frontiers of the page: their figures, and the tables under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from normbench.analysis.chosen_bounds import chosen_bounds
from normbench.analysis.frontier import Frontier
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.presentation import frontiers
from normbench.presentation.charts.base import Frame
from normbench.presentation.charts.frontier import error_chart, excess_chart, file_name
from normbench.presentation.charts.frontier_data import drawn
from normbench.presentation.chosen_bounds import TITLE, chosen_captions, chosen_columns
from normbench.presentation.frontier_captions import captions
from normbench.presentation.frontier_tables import CEILINGS, PROVEN, proven_columns, proven_rows
from normbench.presentation.frontiers import Shown, ceiling_columns, ceilings, columns, evaluations, shown, title
from normbench.presentation.page.figures import Figure
from normbench.presentation.quantity import Quantity


@dataclass(frozen=True)
class Table:
    """A table of ways.

    Attributes
    ----------
    caption : str
    columns : tuple of Quantity
        The first heads the row.
    rows : tuple
    """

    caption: str
    columns: tuple[Quantity, ...]
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class Shelf:
    """A frontier of the page.

    Attributes
    ----------
    key : str
        Anchor on the page.
    place : str
        For heading and contents.
    frontier : Frontier
    figures : tuple of Figure
    tables : tuple of Table
    notes : tuple of str
    """

    key: str
    place: str
    frontier: Frontier
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def shelves(found: Sequence[Frontier], data: dict[str, Any]) -> list[Shelf]:
    """Every frontier with its figures, whose data are added to those of the page."""
    return [_shelf(frontier, data) for frontier in found]


def _shelf(frontier: Frontier, data: dict[str, Any]) -> Shelf:
    first = frontier.first
    asked, words = first.request, evaluations(frontier.budget)
    place = f"{asked.task}, {asked.split} split, {layers_text(asked.layers)}, {words}"
    return Shelf(
        file_name(frontier), place, frontier, _figures(frontier, data), _tables(frontier), tuple(captions(frontier))
    )


def _figures(frontier: Frontier, data: dict[str, Any]) -> tuple[Figure, ...]:
    key, found, first = file_name(frontier), drawn(frontier), frontier.first
    points, excess, trivial = key, f"excess-{key}", f"levels-{key}"
    data |= {points: found.points, excess: found.excess, trivial: found.trivial}
    unit, simulated = first.outcome.unit, first.provenance.simulated
    where = f"{first.request.task}, {origin(simulated, first.request.task)} data, {evaluations(frontier.budget)}"
    return (
        Figure(
            key,
            "Test error at a certified bound",
            error := Frame(where, simulated, f"Test RMS over the certified bound, {title(frontier)}", unit),
            f"Test RMS in {unit}, mean over seeds; every network has a certificate of at most its bound. Bands, of the "
            "leading way and of sweeps alone, are 95 % bootstrap intervals, mostly what the splits differ in. Sweeps "
            "stand at their own certificates, and so do marks alone, for which no bound was asked. Grey: other ways. "
            "Dotted: predictors without an optimiser. Both axes are logarithmic.",
            error_chart(frontier, found, error),
            {"frontier": points, "levels": trivial},
        ),
        Figure(
            excess,
            "Compared at each bound",
            compared := Frame(where, simulated, f"Excess over the best at each bound, {title(frontier)}", unit),
            "How much worse than the best at each bound: geometric mean over seeds of the ratio of test RMS, and the "
            "95 % interval of the paired difference, in which the splits cancel.",
            excess_chart(frontier, found, compared),
            {"excess": excess},
        ),
    )


def _tables(frontier: Frontier) -> tuple[Table, ...]:
    unit, ranked, free = frontier.first.outcome.unit, shown(frontier), ceilings(frontier)
    made = (
        (f"Test RMS in {unit} at each certified bound L, {evaluations(frontier.budget)}", columns(frontier), ranked),
        *_chosen(frontier),
        (CEILINGS, ceiling_columns(unit), free),
        (PROVEN, proven_columns(frontier), proven_rows(frontier)),
    )
    kind = f" ({origin(True)} data)" if frontier.first.provenance.simulated else ""
    return tuple(Table(caption + kind, _speaking(chosen, rows), tuple(rows)) for caption, chosen, rows in made if rows)


def _chosen(frontier: Frontier) -> list[tuple[str, list[Quantity], list[Shown]]]:
    """The table where a validation part chose among the bounds, if there is one; its remarks are its caption."""
    chosen = chosen_bounds(frontier)
    if chosen is None:
        return []
    said = f"{TITLE}. {' '.join(chosen_captions(chosen))}"
    return [(said, chosen_columns(chosen), shown(chosen.frontier))]


def _speaking(chosen: Sequence[Quantity], rows: Sequence[Any]) -> tuple[Quantity, ...]:
    """The columns that say something: name and place first, what a narrow page can do without last."""
    first, last = (frontiers.WAY, frontiers.PLACE, frontiers.OVERALL), (frontiers.TUNING, frontiers.BACKEND)
    found = [column for column in chosen if column.says(rows)]
    ends = [[column for column in end if column in found] for end in (first, last)]
    return (*ends[0], *(column for column in found if column not in (*first, *last)), *ends[1])
