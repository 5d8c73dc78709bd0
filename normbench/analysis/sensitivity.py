"""How much the learning rate matters: final error over the log grid, relative to the best (2002.03432, figure 4)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from normbench import specs
from normbench.analysis.selection import current, grouped, search_key
from normbench.backends.trajectory import Status
from normbench.records.schema import Record
from normbench.running.request import axes

COLUMNS = (
    *(axis.name for axis in axes() if axis.name != "hyperparameters"),
    "simulated",
    "hyperparameter",
    "value",
    "is_default",
    "status",
    "metric",
    "ratio",
    "record",
)


def learning_rate_sensitivity(records: Iterable[Record]) -> pd.DataFrame:
    """Final training RMS at the best value of each grid divided by that at every value.

    ratio(eta) = RMS(best eta) / RMS(eta): 1 at the best value, 0 where the run diverged or failed.

    The runs are those of the searches: one seed, every value of the optimiser's grid. A seed that was not run at
    every value is left out, as is everything but the newest code and data.

    Returns
    -------
    DataFrame
        One row per search and value, in the order of the values: every field of the request, ``simulated,
        hyperparameter, value, is_default, status, metric, ratio, record``; ``metric`` is the RMS itself, NaN where
        there is none, and ``record`` the run.
    """
    rows = [row for tuned, runs in _searches(records) for row in _rows(tuned, runs)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _searches(records: Iterable[Record]) -> Iterator[tuple[specs.Hyperparameter, list[Record]]]:
    """What is tuned, and the runs by value, of every complete grid."""
    for runs in grouped(current(records), lambda run: (search_key(run), run.request.seed)).values():
        tuned = specs.get(runs[0].request.optimiser).tuned
        if tuned is not None:
            by_value = {run.request.hyperparameters[tuned.name]: run for run in runs}
            if by_value.keys() >= set(tuned.grid):
                yield tuned, [by_value[value] for value in tuned.grid]


def _rows(tuned: specs.Hyperparameter, runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    lost = (Status.DIVERGED, Status.FAILED)
    errors = [math.nan if run.outcome.status in lost else run.outcome.train_rms for run in runs]
    best = min(filter(math.isfinite, errors), default=math.nan)
    for run, value, error in zip(runs, tuned.grid, errors, strict=True):
        stored = run.flat()
        yield {name: stored[name] for name in COLUMNS if name in stored} | {
            "hyperparameter": tuned.name,
            "value": value,
            "is_default": value == tuned.default,
            "metric": error,
            "ratio": best / error if math.isfinite(error) else 0.0,
            "record": run,
        }
