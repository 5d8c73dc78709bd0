"""The quantities of a board, one entry each; terminal, Markdown, CSV, JSON, page and legend loop over the entries."""

import math
from collections.abc import Iterable

from normbench.analysis.compare import Direction
from normbench.analysis.rows import Row, mean
from normbench.analysis.statistics import RESAMPLES, Spread
from normbench.presentation import cells
from normbench.presentation.labels import backend
from normbench.presentation.quantity import Merged, Quantity
from normbench.presentation.tables import mean_sd
from normbench.records.schema import Record

_CERTIFICATE_ROUNDING = 1e-6  # relative; bound and measured ratio come from the same float64 weights


def exceeds(run: Record) -> bool:
    """True if the gain that was measured is larger than the bound allows."""
    return run.outcome.lipschitz_measured > run.outcome.proven_bound * (1 + _CERTIFICATE_ROUNDING)


def breaks(run: Record) -> bool:
    """True if the bound that was asked for is not proven; a run without any figure breaks none."""
    asked = run.request.lipschitz
    return asked is not None and run.outcome.proven_bound > asked


RANK = Quantity(
    name="rank",
    header="rank",
    meaning=f"by mean test RMS; in brackets where 95 % of {RESAMPLES:,} resamples of the seeds that all rows share put "
    "the row, one resample for all rows. Rows with a diverged or failed run have none and come last",
    value=lambda row: row.rank and row.rank.rank,
    words=cells.rank,
    fields=cells.rank_fields,
    leaves=1,
    against=True,
    merged=Merged.LISTED,
)
OPTIMISER = Quantity(
    name="optimiser",
    header="optimiser",
    meaning="zero, mean and linear (least squares) are predictors that need none: what does not beat them has learned "
    "little",
    value=lambda row: row.optimiser,
    words=lambda row: row.optimiser,
    numeric=False,
)
TUNING = Quantity(
    name="tuning",
    header="tuning needed",
    meaning="what a user has to tune. 'best of 5' cost 5 runs on a log grid, searched on one backend, then run on all: "
    "lowest RMS on a validation part where the board says so, else lowest final training RMS on one seed; the test "
    "error chooses nothing. † the best value lies at an end of what was tried, so a better one may lie beyond",
    value=lambda row: row.tuning and row.tuning.cost,
    words=cells.tuning,
    fields=cells.tuning_fields,
    numeric=False,
    wraps=True,
)
BOUND = Quantity(
    name="lipschitz_bound",
    header="bound",
    meaning="the smallest Lipschitz bound of the trained network that was proven, mean over seeds: that of its "
    "certificate, or prod ||W_i||_op where there is none",
    unit="the unit of the board per unit-norm input",
    value=lambda row: row.mean(lambda run: run.outcome.proven_bound),
    digits=2,
    better=Direction.LOWER,
    leaves=2,
)
MEASURED = Quantity(
    name="lipschitz_measured",
    header="measured",
    meaning="the largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, mean over seeds; no valid bound is below it",
    value=lambda row: row.mean(lambda run: run.outcome.lipschitz_measured),
    digits=2,
    leaves=8,
    beside="lipschitz_bound",
)
PRODUCT = Quantity(
    name="lipschitz_product",
    header="product",
    meaning="prod ||W_i||_op, mean over seeds, where a certificate is at hand to compare",
    value=lambda row: row.mean(lambda run: run.outcome.lipschitz_bound if run.outcome.certified_by else math.nan),
    digits=2,
    leaves=8,
    beside="lipschitz_bound",
)
WHERE = Quantity(
    name="where",
    header="backend",
    meaning="what computed; with device, precision and number of devices where they are not CPU, float32 and one",
    value=backend,
    words=backend,
    fields=lambda row: {},  # backend, device and dtype are fields of the request
    numeric=False,
    merged=Merged.JOINED,
)
TRAIN_RMS = Quantity(
    name="train_rms",
    header="train RMS",
    meaning="sqrt(mean ||y - yhat||^2) over the training samples, mean ± sample standard deviation over seeds",
    value=lambda row: row.train.mean,
    run=lambda run: run.outcome.train_rms,
    words=lambda row: mean_sd(row.train),
    fields=lambda row: cells.spread_fields("train_rms", row.train),
    unit="the unit of the board",
    better=Direction.LOWER,
    leaves=6,
)
TEST_RMS = Quantity(
    name="test_rms",
    header="test RMS",
    meaning="the same over the test samples; the rows are sorted by it",
    value=lambda row: row.test.mean,
    run=lambda run: run.outcome.test_rms,
    words=lambda row: mean_sd(row.test),
    fields=lambda row: cells.spread_fields("test_rms", row.test),
    unit="the unit of the board",
    better=Direction.LOWER,
    merged=Merged.LISTED,
)
SEEDS = Quantity(
    name="seeds",
    header="seeds",
    meaning="runs, failures included",
    value=lambda row: row.runs,
    words=lambda row: str(row.runs),
    leaves=4,
)
ITERATIONS = Quantity(
    name="iterations",
    header="iter.",
    meaning="iterations per run",
    value=lambda row: row.iterations,
    words=lambda row: str(row.iterations or ""),
    leaves=5,
)
SECONDS = Quantity(
    name="seconds_per_run",
    header="s/run",
    meaning="seconds of training per run, without compilation, mean over the runs of one environment",
    value=lambda row: row.seconds_per_run,
    digits=2,
    fields=lambda row: {
        "timed_runs": len(row.timed),
        "seconds_per_run": row.seconds_per_run,
        "seconds_compile": mean(row.timed, lambda run: run.outcome.seconds_compile),
    },
    better=Direction.LOWER,
    leaves=7,
    merged=Merged.LISTED,
)
MILLISECONDS = Quantity(
    name="ms_per_iteration",
    header="ms/it",
    meaning="milliseconds of training per iteration, likewise",
    value=lambda row: row.ms_per_iteration,
    digits=2,
    better=Direction.LOWER,
    leaves=3,
    merged=Merged.LISTED,
)
EVALUATIONS = Quantity(
    name="evaluations",
    header="losses + gradients",
    meaning="passes over the training set for losses and for gradients, means over runs",
    value=lambda row: cells.evaluations(row)["gradient_evaluations"],
    words=cells.passes,
    fields=cells.evaluations,
    better=Direction.LOWER,
    leaves=9,
)
LEGEND = "How to read it"
QUANTITIES = (
    OPTIMISER,
    WHERE,
    TUNING,
    TRAIN_RMS,
    TEST_RMS,
    Quantity(
        name="test_rms_interval",
        header="95 % interval",
        meaning="bootstrap interval of the mean test RMS: BCa, and percentiles below 8 seeds",
        value=lambda row: row.interval.low,
        words=cells.interval,
        fields=lambda row: {"test_rms_low": row.interval.low, "test_rms_high": row.interval.high},
        leaves=10,
        beside="test_rms",
    ),
    Quantity(
        name="test_accuracy",
        header="accuracy %",
        meaning="share of the test samples whose largest output is the right one, mean ± sample standard deviation",
        value=lambda row: row.accuracy and row.accuracy.mean,
        words=cells.accuracy,
        fields=lambda row: cells.spread_fields("test_accuracy", row.accuracy or Spread(math.nan, math.nan, 0)),
        better=Direction.HIGHER,
    ),
    Quantity(
        name="vs_best",
        header="vs best",
        meaning="test RMS relative to the first row, the geometric mean of the ratios over shared seeds. * p < 0.05, "
        "** p < 0.01, *** p < 0.001: paired t test on the log-ratios, Holm's correction over all pairs of rows, "
        "because the same runs chose the best",
        value=cells.difference,
        words=cells.versus_best,
        detail=cells.certainty,
        fields=cells.difference_fields,
        better=Direction.LOWER,
        against=True,
    ),
    RANK,
    SEEDS,
    ITERATIONS,
    SECONDS,
    MILLISECONDS,
    EVALUATIONS,
    BOUND,
    PRODUCT,
    MEASURED,
    Quantity(
        name="failures",
        header="failures",
        meaning="runs that stalled, diverged or failed; nothing else is left out",
        value=lambda row: sum(row.failures.values()),
        words=cells.failures,
        fields=lambda row: {str(status): count for status, count in row.failures.items()},
        numeric=False,
        wraps=True,
    ),
)


def shown(rows: Iterable[Row]) -> list[Quantity]:
    """The columns that have something to say about the rows, the rank first."""
    every = list(rows)
    return [quantity for quantity in sorted(QUANTITIES, key=lambda q: q is not RANK) if quantity.says(every)]


def legend(rows: Iterable[Row]) -> list[str]:
    """How to read the columns of the rows."""
    return [quantity.legend for quantity in shown(rows)]
