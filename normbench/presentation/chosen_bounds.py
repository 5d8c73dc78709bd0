"""The frontier whose bounds a validation part chose, in words: its columns, its cells, and what is said under it."""

from dataclasses import replace

from normbench.analysis.chosen_bounds import ChosenBounds
from normbench.analysis.lines import Cell
from normbench.campaigns.search import TUNING_SEEDS
from normbench.data.dataset import origin
from normbench.presentation.frontier_captions import listed, unranked
from normbench.presentation.frontier_commands import OPTION
from normbench.presentation.frontiers import BACKEND, OVERALL, PLACE, WAY, at_bounds, cell_words, way_title
from normbench.presentation.quantity import Quantity

TITLE = "Bound chosen on a validation part, none above L"


def chosen_title(chosen: ChosenBounds) -> str:
    """One line; says SIMULATED where the data are."""
    first = chosen.frontier.first
    return f"{TITLE} ({origin(first.provenance.simulated, first.request.task)} data): test RMS in {first.outcome.unit}"


def chosen_words(cell: Cell) -> str:
    """``▼0.209 (10)``: as on the frontier, with the bound that was chosen."""
    return cell_words(cell, f" ({cell.lipschitz:g})")


def chosen_columns(chosen: ChosenBounds) -> list[Quantity]:
    """Of the table, whose rows are those of its frontier."""
    price = Quantity(
        name="trial_runs",
        header="trial runs",
        meaning="that the choice takes at all bounds together",
        value=lambda one: chosen.trial_runs[one.line.way.key],
        words=lambda one: str(chosen.trial_runs[one.line.way.key]),
        leaves=3,
    )
    at = [_with_bound(k, column) for k, column in enumerate(at_bounds(chosen.frontier))]
    first, last = ([PLACE], [OVERALL]) if chosen.frontier.places else ([], [])
    return [*first, WAY, BACKEND, *at, *last, price]


def _with_bound(k: int, column: Quantity) -> Quantity:
    return replace(column, words=lambda one: chosen_words(one.line.cells[k]))


def chosen_captions(chosen: ChosenBounds) -> list[str]:
    """How the bounds were chosen, what is ranked, and who is left out."""
    notes = [
        f"In brackets the bound that was asked for, one for all seeds: of those up to L that at which {TUNING_SEEDS} "
        "trials of the way have the lowest mean RMS; a network of a smaller bound keeps every larger one and may "
        "overfit less. Trials train on 80 % of a training set, are judged on the other 20 %, and have seeds that judge "
        "nothing. Trial runs: those at all bounds together, with the searches that the trials are a part of.",
        *unranked(chosen.frontier),
    ]
    if chosen.left_out:
        ways = listed([way_title(line) for line in chosen.left_out])
        notes.append(f"Left out, for want of trials at all their bounds ({OPTION} makes them): {ways}.")
    return notes
