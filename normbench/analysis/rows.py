"""The rows of a leaderboard: what was run here, and what needs no optimiser."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from normbench.analysis.ranking import RankSpan, Sample
from normbench.analysis.selection import timed_alike
from normbench.analysis.statistics import Difference, Interval, Spread, spread
from normbench.analysis.tuning import Tuning, tuning
from normbench.backends.trajectory import Status
from normbench.problems.predictors import NAMES
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import axes

NO_INTERVAL = Interval(math.nan, math.nan, math.nan)
FAILURES = (Status.STALLED, Status.DIVERGED, Status.FAILED)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a leaderboard; NaN, None and nothing stand for what a row of its kind does not have.

    Attributes
    ----------
    optimiser : str
        Key of the optimiser, or name of the predictor.
    simulated : bool
        True if the row comes from simulated data.
    train, test : Spread
        RMS over seeds, in the unit of the board; runs without a finite RMS are left out and show in ``failures``.
    accuracy : Spread or None
        Share of test samples classified rightly, over seeds; None for regression.
    seeds : tuple of int
        Seeds that were run, failures included; empty where the source names only their number.
    runs : int
    interval : Interval
        95 % bootstrap interval of the mean test RMS over seeds; no bounds with one seed.
    difference : Difference or None
        Paired difference of test RMS to the best row over shared seeds, p-value corrected over the board.
    rank : RankSpan or None
        None where a run gave no result, and for rows that no optimiser made.
    records : tuple of Record
        The runs, in the order of ``seeds``; none where nothing was run here.
    tuning : Tuning or None
    iterations : int or None
    seconds_per_run : float
        Training only, compilation apart.
    """

    kind: ClassVar[str]
    optimiser: str
    simulated: bool
    train: Spread
    test: Spread
    seeds: tuple[int, ...]
    runs: int
    accuracy: Spread | None = None
    interval: Interval = NO_INTERVAL
    difference: Difference | None = None
    rank: RankSpan | None = None
    records: tuple[Record, ...] = ()
    tuning: Tuning | None = None
    iterations: int | None = None
    seconds_per_run: float = math.nan

    @property
    def asked(self) -> Mapping[str, Any]:
        """Every field of the request that separates rows, by its name; empty where nothing was run here."""
        return (
            {axis.name: getattr(self.records[0].request, axis.name) for axis in axes(Level.ROW)} if self.records else {}
        )

    @property
    def backend(self) -> str:
        """What computed it; "" where no optimiser did."""
        return str(self.asked.get("backend", ""))

    @property
    def timed(self) -> list[Record]:
        """The runs of one environment, that which made most of them: other machines have other clocks."""
        return timed_alike(self.records) if self.records else []

    @property
    def ms_per_iteration(self) -> float:
        """Milliseconds of training per iteration."""
        return 1e3 * self.seconds_per_run / (self.iterations or math.nan)

    @property
    def failures(self) -> dict[Status, int]:
        """How many runs stalled, diverged or failed; nothing else is left out."""
        counts = Counter(run.outcome.status for run in self.records)
        return {status: counts[status] for status in FAILURES}

    @property
    def incomplete(self) -> bool:
        """True if a run of the row gave no result, or no finite test RMS; such a row cannot lead."""
        failed = self.failures[Status.DIVERGED] or self.failures[Status.FAILED]
        return bool(failed) or not all(math.isfinite(run.outcome.test_rms) for run in self.records)

    def mean(self, quantity: Callable[[Record], float]) -> float:
        """Mean of a figure over the runs that have it; NaN where none has."""
        return mean(self.records, quantity)


def mean(runs: Sequence[Record], quantity: Callable[[Record], float]) -> float:
    """Mean over the runs that have the quantity; NaN where none has."""
    return spread([quantity(run) for run in runs]).mean


@dataclass(frozen=True, kw_only=True)
class OptimiserRow(Row):
    """Runs of an optimiser that differ in nothing but their seeds."""

    kind = "optimiser"
    tuning: Tuning

    @property
    def ms_per_iteration(self) -> float:
        """Of the iterations that were done, on the clock of one environment."""
        return 1e3 * mean(self.timed, lambda run: run.outcome.seconds_per_iteration)


@dataclass(frozen=True, kw_only=True)
class PredictorRow(Row):
    """A trivial predictor over every seed of the board.

    Attributes
    ----------
    gain : float
        Its Lipschitz constant, mean over seeds; NaN where it has none of interest, or the records do not hold it.
    """

    kind = "predictor"
    gain: float = math.nan


class PublishedRow(Row):
    """Figures of a paper."""

    kind = "published"


KINDS = (OptimiserRow.kind, PredictorRow.kind, PublishedRow.kind)  # in the order of a board


def optimiser_row(runs: Sequence[Record]) -> OptimiserRow:
    """The row of runs that differ in nothing but their seeds, which are given by seed."""
    first = runs[0]
    return OptimiserRow(
        optimiser=first.request.optimiser,
        simulated=first.provenance.simulated,
        train=spread([run.outcome.train_rms for run in runs]),
        test=spread([run.outcome.test_rms for run in runs]),
        seeds=tuple(run.request.seed for run in runs),
        runs=len(runs),
        accuracy=_accuracy([run.outcome.test_accuracy for run in runs]),
        records=tuple(runs),
        tuning=tuning(runs),
        iterations=first.request.iterations,
        seconds_per_run=mean(timed_alike(runs), lambda run: run.outcome.seconds_train),
    )


def _accuracy(shares: Sequence[float | None]) -> Spread | None:
    known = [share for share in shares if share is not None]
    return spread(known) if known else None


def sample(runs: Sequence[Record]) -> Sample:
    """Test RMS by seed, where it is finite."""
    return {run.request.seed: run.outcome.test_rms for run in runs if math.isfinite(run.outcome.test_rms)}


def predictor_rows(board: Sequence[Record]) -> list[tuple[PredictorRow, Sample]]:
    """The trivial predictors over every seed of the board, each with its test RMS by seed."""
    by_seed = {
        run.request.seed: run.outcome.predictors
        for run in sorted(board, key=lambda run: run.request.seed)
        if run.outcome.predictors
    }
    rows: list[tuple[PredictorRow, Sample]] = []
    for name in NAMES:
        found = {seed: figures[name] for seed, figures in by_seed.items() if name in figures}
        if found and len(found) == len(by_seed):
            row = PredictorRow(
                optimiser=name,
                simulated=board[0].provenance.simulated,
                train=spread([figures["train"] for figures in found.values()]),
                test=spread([figures["test"] for figures in found.values()]),
                seeds=tuple(found),
                runs=len(found),
                accuracy=_accuracy([figures.get("test_accuracy") for figures in found.values()]),
                gain=float(np.mean([figures.get("gain", math.nan) for figures in found.values()])),
            )
            rows.append((row, {seed: figures["test"] for seed, figures in found.items()}))
    return rows
