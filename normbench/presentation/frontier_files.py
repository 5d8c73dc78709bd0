"""Frontiers as CSV and JSON: one row for each way at each bound, with everything that is known of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from normbench.analysis.chosen_bounds import ChosenBounds, chosen_bounds
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Cell, Line
from normbench.analysis.rows import mean
from normbench.analysis.statistics import spread
from normbench.analysis.ways import SCALE, Kind
from normbench.presentation.cells import difference_fields, rank_fields
from normbench.presentation.exports import board_fields, lines, plain, table
from normbench.presentation.frontier_commands import commands
from normbench.presentation.frontiers import tuning_words, way_name
from normbench.running.axis import Level
from normbench.running.request import axes

_OWN = ("iterations", "hyperparameters", SCALE)  # of a point, not of a way


def flat(frontier: Frontier) -> list[dict[str, Any]]:
    """Plain dictionaries; a figure that does not exist is None.

    ``role`` says what a row is: "at L", a cell of the frontier; "bound chosen", the same where a validation part chose
    among the bounds up to L; "point", a sweep or a ceiling at its own certificate; "predictor".
    """
    chosen = chosen_bounds(frontier)
    board = board_fields(frontier.first, without=("lipschitz",)) | {"evaluations": frontier.budget}
    return [plain(board | row) for row in (*_cells(frontier, chosen), *_predictors(frontier))]


def _cells(frontier: Frontier, chosen: ChosenBounds | None) -> Iterator[dict[str, Any]]:
    for line in (*frontier.lines, *frontier.ceilings):
        again = "; ".join(commands(frontier, line, chosen))
        for cell in line.cells:
            if cell.values or cell.runs or cell in line.points:
                yield _row(frontier, line, cell, "at L", again)
        for point in line.points if line.way.kind is not Kind.BOUND else ():
            yield _row(frontier, line, point, "point", again)
    if chosen:
        yield from _chosen(chosen)


def _chosen(chosen: ChosenBounds) -> Iterator[dict[str, Any]]:
    """The cells by the rule: ``lipschitz`` is L, ``lipschitz_chosen`` what was asked for."""
    for line in chosen.frontier.lines:
        again = "; ".join(commands(chosen.frontier, line, chosen))
        for bound, cell in zip(chosen.frontier.bounds, line.cells, strict=True):
            if cell.runs or cell.values:
                own = {"lipschitz": bound, "lipschitz_chosen": cell.lipschitz}
                trial_runs = {"trial_runs": chosen.trial_runs[line.way.key]}
                yield _row(chosen.frontier, line, cell, "bound chosen", again) | own | trial_runs


def _row(frontier: Frontier, line: Line, cell: Cell, role: str, again: str) -> dict[str, Any]:
    first, place = line.way.first, frontier.places.get(line.way.key)
    runs, tuning = cell.runs, cell.tuning
    return {
        "role": role,
        "way": way_name(line),
        "kind": str(line.way.kind),
        **{axis.name: getattr(first.request, axis.name) for axis in axes(Level.ROW) if axis.name not in _OWN},
        "iterations": runs[0].request.iterations if runs else None,
        "hyperparameters": runs[0].request.hyperparameters if runs else None,
        "tuning": tuning_words(line),
        "tuning_runs": tuning.cost if tuning else None,
        "tuning_on_edge": tuning.on_edge if tuning else None,
        "lipschitz": cell.lipschitz,
        SCALE: cell.output_scale,
        "test_rms_mean": cell.interval.mean,
        "test_rms_sd": spread(list(cell.values.values())).sd,
        "test_rms_low": cell.interval.low,
        "test_rms_high": cell.interval.high,
        "seeds": len(cell.values),
        "lost": {str(seed): str(reason) for seed, reason in sorted(cell.lost.items())},
        **difference_fields(cell),
        **rank_fields(cell),
        "lipschitz_product": mean(runs, lambda run: run.outcome.lipschitz_bound),
        "lipschitz_certificate": cell.certificate,
        "certified_by": " ".join(sorted({run.outcome.certified_by for run in runs})),
        "lipschitz_measured": mean(runs, lambda run: run.outcome.lipschitz_measured),
        "excess": place and place.excess.mean,
        "excess_low": place and place.excess.low,
        "excess_high": place and place.excess.high,
        "overall_rank": place and place.rank.rank,
        "overall_rank_low": place and place.rank.low,
        "overall_rank_high": place and place.rank.high,
        "command": again,
        "code_version": runs[0].provenance.code_version if runs else "",
        "records": " ".join(run.record_id for run in runs),
    }


def _predictors(frontier: Frontier) -> Iterator[dict[str, Any]]:
    for row in frontier.predictors:
        yield {
            "role": "predictor",
            "way": row.optimiser,
            "test_rms_mean": row.test.mean,
            "test_rms_sd": row.test.sd,
            "seeds": row.runs,
            "lipschitz_product": row.gain,
        }


def json_lines(frontiers: Iterable[Frontier]) -> str:
    """One JSON object per row and line."""
    return lines(row for frontier in frontiers for row in flat(frontier))


def csv(frontiers: Sequence[Frontier]) -> str:
    """All rows of all frontiers under one header."""
    return table([row for frontier in frontiers for row in flat(frontier)])
