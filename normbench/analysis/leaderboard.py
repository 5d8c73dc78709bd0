"""From stored records to leaderboards: one per task, split and network, one row per way of optimising it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from normbench.analysis.ranking import Sample, differences, rank_spans, shared_seeds
from normbench.analysis.rows import (
    OptimiserRow,
    PredictorRow,
    PublishedRow,
    Row,
    optimiser_row,
    predictor_rows,
    sample,
)
from normbench.analysis.selection import Sortable, board_key, current, grouped, known, results, row_key, trials
from normbench.analysis.statistics import bootstrap_intervals
from normbench.analysis.tuning import tuning
from normbench.records.schema import Record
from normbench.records.versions import NOT_RECORDED, machine

__all__ = ["Board", "Row", "boards"]

Line = tuple[OptimiserRow, Sample]
Published = Callable[[str, str, tuple[int, ...]], Sequence[PublishedRow]]  # of papers, for a task, split and network


@dataclass(frozen=True)
class Board:
    """A leaderboard: optimisers by test RMS, then the trivial predictors, then published figures.

    Attributes
    ----------
    runs : tuple of Record
        Every run that was judged on the test set and counts, those without a row included.
    trials : tuple of Record
        Runs on the same data that searches judged on a validation part; they have no row.
    outdated : int
        Records of earlier code, data or libraries that are left out, see
        :func:`normbench.analysis.selection.current`.
    optimisers : tuple of OptimiserRow
    predictors : tuple of PredictorRow
    published : tuple of PublishedRow
    """

    runs: tuple[Record, ...]
    trials: tuple[Record, ...]
    outdated: int
    optimisers: tuple[OptimiserRow, ...]
    predictors: tuple[PredictorRow, ...]
    published: tuple[PublishedRow, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, in the order of its kind."""
        return (*self.optimisers, *self.predictors, *self.published)

    def predictor(self, name: str) -> PredictorRow | None:
        """The row of one of the trivial predictors, where the board has it."""
        return next((row for row in self.predictors if row.optimiser == name), None)

    @property
    def key(self) -> Sortable:
        """See :func:`normbench.analysis.selection.board_key`."""
        return board_key(self.runs[0])

    @property
    def task(self) -> str:
        """Key of the task."""
        return self.runs[0].request.task

    @property
    def split(self) -> str:
        """Name of the rule."""
        return self.runs[0].request.split

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths of the network."""
        return self.runs[0].request.layers

    @property
    def simulated(self) -> bool:
        """True if a simulator made the data."""
        return self.runs[0].provenance.simulated

    @property
    def unit(self) -> str:
        """Of the RMS."""
        return self.runs[0].outcome.unit

    @property
    def resampled_seeds(self) -> int:
        """How many seeds the ranks' resamples draw from."""
        return len(shared_seeds([sample(row.records) for row in self.optimisers if not row.incomplete]))

    @property
    def search_runs(self) -> int:
        """Runs of searches that have no row of their own."""
        return len(self.runs) + len(self.trials) - sum(row.runs for row in self.optimisers)

    @property
    def differing(self) -> dict[str, list[str]]:
        """What the environments of the rows' runs of one backend differ in, each with the values that occur."""
        found: dict[str, set[str]] = {}
        shown = (run for row in self.optimisers for run in row.records)
        for runs in grouped(shown, lambda run: run.request.backend).values():
            made = [dict(machine(run.provenance.environment, run.provenance.threads)) for run in runs]
            for name in {name for each in made for name in each}:
                values = {each.get(name, NOT_RECORDED) for each in made}
                if len(values) > 1:
                    found.setdefault(name, set()).update(values)
        return {name: sorted(values) for name, values in sorted(found.items())}


def boards(records: Iterable[Record], *, published: Published = lambda task, split, layers: ()) -> list[Board]:
    """Leaderboards of the results among the records, one per task, split and network.

    Where records of one row differ in code version, or of one board in data, only the most recent kind counts.

    Parameters
    ----------
    records : iterable of Record
    published : callable
        What papers measured, see :func:`normbench.papers.asgd.published.board_rows`: from task, split and layers, the
        rows that stand at the end of that board.
    """
    every = known(records)
    tried = grouped(trials(every), board_key)
    return [_board(group, tried.get(key, []), published) for key, group in grouped(results(every), board_key).items()]


def _board(group: Sequence[Record], tried: Sequence[Record], published: Published) -> Board:
    runs = current(group)
    data = runs[0].provenance.data_sha256
    counted = current(record for record in tried if record.provenance.data_sha256 == data)
    shown = [group for group in grouped(runs, row_key).values() if tuning(group).rules]
    lines = _ranked(sorted(((optimiser_row(group), sample(group)) for group in shown), key=_order))
    predictors = predictor_rows(runs)
    judged = _judged([*lines, *predictors])
    first = runs[0]
    return Board(
        runs=tuple(runs),
        trials=tuple(counted),
        outdated=len(group) + len(tried) - len(runs) - len(counted),
        optimisers=tuple(judged[: len(lines)]),
        predictors=tuple(judged[len(lines) :]),
        published=tuple(published(first.request.task, first.request.split, first.request.layers)),
    )


def _order(line: Line) -> tuple[bool, float, str, str]:
    row, _ = line
    return row.incomplete, row.test.mean if math.isfinite(row.test.mean) else math.inf, row.optimiser, row.backend


def _ranked(lines: Sequence[Line]) -> list[Line]:
    """Rows with a diverged or failed run are last and have no rank, nor have those without a test RMS."""
    spans = rank_spans([values for row, values in lines if not row.incomplete and values])
    places = [*spans, *[None] * (len(lines) - len(spans))]
    return [(replace(row, rank=span), values) for (row, values), span in zip(lines, places, strict=True)]


def _judged(lines: Sequence[tuple[Any, Sample]]) -> list[Any]:
    """Rows with the interval of their mean and, where one leads, their difference to it."""
    samples = [values for _, values in lines]
    leads = bool(lines) and lines[0][0].rank is not None
    found = differences(samples, 0) if leads else [None] * len(lines)
    intervals = bootstrap_intervals([list(values.values()) for values in samples])
    return [
        replace(row, interval=interval, difference=difference)
        for (row, _), interval, difference in zip(lines, intervals, found, strict=True)
    ]
