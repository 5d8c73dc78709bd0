"""The rows of a leaderboard: what was run here, what needs no optimiser, and what was published."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from normbench import published, specs
from normbench.analysis.commands import command
from normbench.analysis.ranking import RankSpan, Sample
from normbench.analysis.selection import how, rules, timed_alike, tuned_value, tuning_cost, where
from normbench.analysis.statistics import Difference, Interval, Spread, spread
from normbench.backends.trajectory import Status
from normbench.problems.predictors import NAMES
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.request import axes

NO_INTERVAL = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard; NaN, None and "" stand for what a row of its kind does not have.

    Attributes
    ----------
    kind : str
        "optimiser", "predictor" or "published".
    optimiser : str
        Key of the optimiser, or name of the predictor.
    tuning : str
        What a user has to tune to get there, in words.
    tuning_runs : int
        Runs that the tuning cost.
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
    asked : mapping of str to object
        Every field of the request that separates rows, in plain types, by its name.
    where : str
        Backend, with device and dtype where they are not the usual ones.
    iterations : int or None
    seconds_per_run, seconds_compile, ms_per_iteration : float
        Means over the runs of one environment, that which made most of them; training only, compilation apart.
    timed : int
        How many runs these are: fewer than ``runs`` where more than one environment made the row.
    loss_evaluations, gradient_evaluations : float
        Passes over the training set, means over runs.
    lipschitz_bound, lipschitz_measured : float
        Means of prod ||W_i||_op, and of the largest measured ratio, in the unit of the board per unit-norm input.
    failures : mapping of str to int
        How many runs stalled, diverged or failed; nothing else is left out.
    on_edge : bool
        True if the best value lies at an end of its grid, so that a better one may lie beyond.
    command : str
        Makes the runs of the row again.
    records : tuple of str
        Identities of the runs, in the order of ``seeds``.
    environment, code_version : str
        What the runs were made with.
    """

    kind: str
    optimiser: str
    tuning: str
    tuning_runs: int
    simulated: bool
    train: Spread
    test: Spread
    seeds: tuple[int, ...]
    runs: int
    accuracy: Spread | None = None
    interval: Interval = NO_INTERVAL
    difference: Difference | None = None
    rank: RankSpan | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    iterations: int | None = None
    seconds_per_run: float = math.nan
    seconds_compile: float = math.nan
    ms_per_iteration: float = math.nan
    timed: int = 0
    loss_evaluations: float = math.nan
    gradient_evaluations: float = math.nan
    lipschitz_bound: float = math.nan
    lipschitz_measured: float = math.nan
    failures: dict[str, int] = field(default_factory=dict)
    on_edge: bool = False
    command: str = ""
    records: tuple[str, ...] = ()
    environment: str = ""
    code_version: str = ""

    @property
    def backend(self) -> str:
        """What computed it; "" where no optimiser did."""
        return str(self.asked.get("backend", ""))

    @property
    def incomplete(self) -> bool:
        """True if a run of the row gave no result; such a row cannot lead."""
        return any(self.failures.get(status, 0) for status in (Status.DIVERGED, Status.FAILED))


def optimiser_row(runs: Sequence[Record], board: Sequence[Record]) -> Row:
    """The row of runs that differ in nothing but their seeds.

    Parameters
    ----------
    runs : sequence of Record
        By seed.
    board : sequence of Record
        All runs of the board, for :func:`normbench.analysis.commands.command`.
    """
    first = runs[0]
    tuned, cost = specs.get(first.request.optimiser).tuned, tuning_cost(runs)
    counts = Counter(run.outcome.status for run in runs)
    timed = timed_alike(runs)
    return Row(
        kind="optimiser",
        optimiser=first.request.optimiser,
        tuning=tuning_label(runs),
        tuning_runs=cost,
        simulated=first.provenance.simulated,
        train=spread([run.outcome.train_rms for run in runs]),
        test=spread([run.outcome.test_rms for run in runs]),
        seeds=tuple(run.request.seed for run in runs),
        runs=len(runs),
        accuracy=_accuracy([run.outcome.test_accuracy for run in runs]),
        asked={axis.name: getattr(first.request, axis.name) for axis in axes(Level.ROW)},
        where=where(first),
        iterations=first.request.iterations,
        seconds_per_run=_mean(timed, lambda run: run.outcome.seconds_train),
        seconds_compile=_mean(timed, lambda run: run.outcome.seconds_compile),
        ms_per_iteration=1e3 * _mean(timed, lambda run: run.outcome.seconds_per_iteration),
        timed=len(timed),
        loss_evaluations=_mean(runs, lambda run: run.outcome.loss_evaluations),
        gradient_evaluations=_mean(runs, lambda run: run.outcome.gradient_evaluations),
        lipschitz_bound=_mean(runs, lambda run: run.outcome.lipschitz_bound),
        lipschitz_measured=_mean(runs, lambda run: run.outcome.lipschitz_measured),
        failures={str(s): counts[str(s)] for s in (Status.STALLED, Status.DIVERGED, Status.FAILED)},
        on_edge=bool(cost and tuned and first.request.hyperparameters[tuned.name] in (tuned.grid[0], tuned.grid[-1])),
        command=command(runs, board),
        records=tuple(run.record_id for run in runs),
        environment=" | ".join(sorted({_environment(run) for run in runs})),
        code_version=first.provenance.code_version,
    )


def _accuracy(shares: Sequence[float | None]) -> Spread | None:
    known = [share for share in shares if share is not None]
    return spread(known) if known else None


def _mean(runs: Sequence[Record], quantity: Callable[[Record], float]) -> float:
    """Mean over the runs that have the quantity."""
    return spread([quantity(run) for run in runs]).mean


def _environment(run: Record) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.provenance.environment.items())


def tuning_label(runs: Sequence[Record]) -> str:
    """What has to be tuned: "none", "default 0.001" or "best of 5: 0.03", and what else is not at its default."""
    first = runs[0]
    value, others = tuned_value(first), how(first)
    if not value:
        return ", ".join(others) or "none"
    found = rules(runs)
    label = f"default {value}" if found == ["default"] else f"{found[-1]}: {value}" if found else value
    return ", ".join([f"{label} (default)" if len(found) > 1 else label, *others])


def sample(runs: Sequence[Record]) -> Sample:
    """Test RMS by seed, where it is finite."""
    return {run.request.seed: run.outcome.test_rms for run in runs if math.isfinite(run.outcome.test_rms)}


def predictor_rows(board: Sequence[Record]) -> list[tuple[Row, Sample]]:
    """The trivial predictors over every seed of the board, each with its test RMS by seed."""
    by_seed = {
        run.request.seed: run.outcome.predictors
        for run in sorted(board, key=lambda run: run.request.seed)
        if run.outcome.predictors
    }
    return [
        (
            _predictor_row(name, by_seed, board[0].provenance.simulated),
            {seed: figures[name]["test"] for seed, figures in by_seed.items()},
        )
        for name in NAMES
        if by_seed and all(name in figures for figures in by_seed.values())
    ]


def _predictor_row(name: str, by_seed: Mapping[int, Mapping[str, Mapping[str, float]]], simulated: bool) -> Row:
    return Row(
        kind="predictor",
        optimiser=name,
        tuning="",
        tuning_runs=0,
        simulated=simulated,
        train=spread([figures[name]["train"] for figures in by_seed.values()]),
        test=spread([figures[name]["test"] for figures in by_seed.values()]),
        seeds=tuple(by_seed),
        runs=len(by_seed),
        accuracy=_accuracy([figures[name].get("test_accuracy") for figures in by_seed.values()]),
    )


def published_rows(task: str, split: str, layers: tuple[int, ...]) -> list[Row]:
    """The papers' own figures, where they are for the same network and kind of split."""
    if not published.applies(task, layers) or split != "random":
        return []
    return [_published_row(optimiser) for optimiser in published.EXPERIMENT1]


def _published_row(optimiser: str) -> Row:
    figures = published.experiment1(optimiser)
    seeds, iterations, seconds = int(figures["seeds"]), int(figures["iterations"]), float(figures["time_mean_s"])
    return Row(
        kind="published",
        optimiser=optimiser,
        tuning="published, real data",
        tuning_runs=0,
        simulated=False,
        train=Spread(float(figures["train_rms_mean_n"]), float(figures["train_rms_std_n"]), seeds),
        test=Spread(float(figures["test_rms_mean_n"]), float(figures["test_rms_std_n"]), seeds),
        seeds=(),
        runs=seeds,
        iterations=iterations,
        seconds_per_run=seconds,
        ms_per_iteration=1e3 * seconds / iterations,
    )
