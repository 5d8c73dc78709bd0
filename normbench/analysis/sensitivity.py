"""How much the learning rate matters: final error over the log grid, relative to the best (2002.03432, figure 4)."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from normbench import specs
from normbench.analysis.selection import current, grouped, search_key
from normbench.backends.trajectory import Status
from normbench.errors import InvalidArgumentError
from normbench.records.schema import Record
from normbench.running.request import axes

METRICS = ("train_rms", "test_rms")
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


def learning_rate_sensitivity(records: Iterable[Record], *, metric: str = "train_rms") -> pd.DataFrame:
    """Final error at the best value of each grid divided by the error at every value.

    ratio(eta) = error(best eta) / error(eta): 1 at the best value, 0 where the run diverged or failed.

    The runs are those of the searches: one seed, every value of the optimiser's grid. A seed that was not run at
    every value is left out, as is everything but the newest code and data.

    Parameters
    ----------
    records : iterable of Record
    metric : str
        "train_rms", by which the search chooses, or "test_rms".

    Returns
    -------
    DataFrame
        One row per search and value, in the order of the values: every field of the request, ``simulated,
        hyperparameter, value, is_default, status, metric, ratio, record``; ``metric`` is the error itself, NaN where
        there is none, and ``record`` the run.

    Raises
    ------
    InvalidArgumentError
        If the metric is unknown.
    """
    if metric not in METRICS:
        raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}; got {metric!r}.")
    rows = [row for runs in _searches(records) for row in _rows(runs, metric)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _searches(records: Iterable[Record]) -> list[list[Record]]:
    """Runs of every complete grid, by value."""
    found = []
    for runs in grouped(current(records), lambda run: (search_key(run), run.request.seed)).values():
        tuned = specs.get(runs[0].request.optimiser).tuned
        on_grid = [run for run in runs if tuned and run.request.hyperparameters[tuned.name] in tuned.grid]
        if tuned and len(on_grid) == len(tuned.grid):
            found.append(sorted(on_grid, key=_value))
    return found


def _value(run: Record) -> float:
    tuned = specs.get(run.request.optimiser).tuned
    value = run.request.hyperparameters[tuned.name] if tuned else None
    return math.nan if value is None else float(value)


def _error(run: Record, metric: str) -> float:
    """The error, NaN for a run that gave none."""
    lost = run.outcome.status in (Status.DIVERGED, Status.FAILED)
    return math.nan if lost else float(getattr(run.outcome, metric))


def _rows(runs: Sequence[Record], metric: str) -> list[dict[str, Any]]:
    errors = [_error(run, metric) for run in runs]
    best = min((error for error in errors if math.isfinite(error)), default=math.nan)
    return [
        _row(run, error, best / error if math.isfinite(error) else 0.0) for run, error in zip(runs, errors, strict=True)
    ]


def _row(run: Record, error: float, ratio: float) -> dict[str, Any]:
    tuned = specs.get(run.request.optimiser).tuned
    stored = run.flat()
    return {name: stored[name] for name in COLUMNS if name in stored} | {
        "hyperparameter": tuned.name if tuned else "",
        "value": _value(run),
        "is_default": bool(tuned and _value(run) == tuned.default),
        "metric": error,
        "ratio": ratio,
        "record": run,
    }
