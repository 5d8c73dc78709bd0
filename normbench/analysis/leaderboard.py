"""From stored records to leaderboards: one per task, split and network, one row per way of optimising it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from normbench.analysis.captions import captions
from normbench.analysis.ranking import Sample, differences, rank_spans, shared_seeds
from normbench.analysis.rows import Row, optimiser_row, predictor_rows, published_rows, sample
from normbench.analysis.selection import Sortable, board_key, current, grouped, known, row_key, rules
from normbench.analysis.statistics import bootstrap_intervals
from normbench.records.schema import Record
from normbench.records.versions import NOT_RECORDED, machine

__all__ = ["Board", "Row", "boards"]

_CERTIFICATE_ROUNDING = 1e-6  # relative; bound and measured ratio come from the same float64 weights

Line = tuple[Row, Sample]


@dataclass(frozen=True)
class Board:
    """A leaderboard: optimisers by test RMS, then the trivial predictors, then published figures.

    Attributes
    ----------
    key : tuple
        See :func:`normbench.analysis.selection.board_key`.
    task, split, unit : str
    layers : tuple of int
    simulated : bool
    rows : tuple of Row
    notes : tuple of str
        How to read it, and every warning that belongs to it.
    """

    key: Sortable
    task: str
    split: str
    layers: tuple[int, ...]
    simulated: bool
    unit: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """One line; says SIMULATED where the data are."""
        source = "SIMULATED data" if self.simulated else "real data"
        network = "-".join(map(str, self.layers))
        return f"{self.task} ({source}), network {network}, {self.split} split, RMS in {self.unit}"


def boards(records: Iterable[Record]) -> list[Board]:
    """Leaderboards of the records, one per task, split and network; a plain function of the records alone.

    Where records of one row differ in code version, or of one board in data, only the most recent kind counts.
    """
    every = grouped(known(records), board_key)
    return [_board(current(group), stored=len(group)) for group in every.values()]


def _board(runs: Sequence[Record], *, stored: int) -> Board:
    groups = list(grouped(runs, row_key).values())
    shown = [group for group in groups if rules(group)]
    lines = sorted(((optimiser_row(group, runs), sample(group)) for group in shown), key=_order)
    seeds = shared_seeds([values for row, values in lines if not row.incomplete])
    first = runs[0]
    judged = _judged([*_ranked(lines), *predictor_rows(runs)])
    rows = (*judged, *published_rows(first.request.task, first.request.split, first.request.layers))
    return Board(
        key=board_key(first),
        task=first.request.task,
        split=first.request.split,
        layers=first.request.layers,
        simulated=first.provenance.simulated,
        unit=first.outcome.unit,
        rows=rows,
        notes=captions(
            unit=first.outcome.unit,
            simulated=first.provenance.simulated,
            rows=rows,
            resampled_seeds=len(seeds),
            threads=sorted({run.provenance.threads for run in runs}),
            search_runs=sum(len(group) for group in groups if not rules(group)),
            outdated=stored - len(runs),
            broken_certificates=sum(map(_breaks_certificate, runs)),
            differing=_differing(shown),
        ),
    )


def _differing(groups: Iterable[Sequence[Record]]) -> dict[str, list[str]]:
    """What the environments of the shown runs of one backend differ in, each with the values that occur."""
    found: dict[str, set[str]] = {}
    for runs in grouped((run for group in groups for run in group), lambda run: run.request.backend).values():
        made = [dict(machine(run.provenance.environment, run.provenance.threads)) for run in runs]
        for name in {name for each in made for name in each}:
            values = {each.get(name, NOT_RECORDED) for each in made}
            if len(values) > 1:
                found.setdefault(name, set()).update(values)
    return {name: sorted(values) for name, values in sorted(found.items())}


def _order(line: Line) -> tuple[bool, float, str, str]:
    row, _ = line
    return row.incomplete, row.test.mean if math.isfinite(row.test.mean) else math.inf, row.optimiser, row.backend


def _ranked(lines: Sequence[Line]) -> list[Line]:
    """Rows with a diverged or failed run are last and have no rank."""
    spans = rank_spans([values for row, values in lines if not row.incomplete])
    places = [*spans, *[None] * (len(lines) - len(spans))]
    return [(replace(row, rank=span), values) for (row, values), span in zip(lines, places, strict=True)]


def _judged(lines: Sequence[Line]) -> list[Row]:
    """Rows with the interval of their mean and, where one leads, their difference to it."""
    samples = [values for _, values in lines]
    leads = bool(lines) and lines[0][0].rank is not None
    found = differences(samples, 0) if leads else [None] * len(lines)
    intervals = bootstrap_intervals([list(values.values()) for values in samples])
    return [
        replace(row, interval=interval, difference=difference)
        for (row, _), interval, difference in zip(lines, intervals, found, strict=True)
    ]


def _breaks_certificate(run: Record) -> bool:
    return run.outcome.lipschitz_measured > run.outcome.lipschitz_bound * (1 + _CERTIFICATE_ROUNDING)
