"""How much the learning rate matters: final error over the log grid, relative to the best (2002.03432, figure 4)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from normbench import specs
from normbench.analysis.selection import current, grouped, search_key, trials
from normbench.backends.trajectory import Status
from normbench.records.schema import Record
from normbench.running.request import axes

_FEWEST = 3  # values that make a curve
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

    The runs are those of the searches: of a search on a validation part every seed and every value that it tried, if
    these are three at least; of one on the training set a seed with every value of the optimiser's grid. A seed that
    was not run at every value is left out, as is everything but the newest code and data; and so are searches among
    values of several numbers, which have no scale.

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
    """What is tuned, and the runs in the order of their values, of every search and seed."""
    for runs in grouped(current(records), _key).values():
        tuned = runs[0].spec.tuned
        if tuned is None or isinstance(tuned.default, tuple):
            continue
        by_seed: dict[int, dict[Any, Record]] = {}
        for run in sorted(runs, key=lambda run: run.request.seed):
            by_seed.setdefault(run.request.seed, {})[run.request.hyperparameters[tuned.name]] = run
        most: dict[Any, Record] = max(by_seed.values(), key=lambda found: len(found))
        values = set(most) if trials(runs) else set(tuned.grid)
        for by_value in by_seed.values():
            if len(values) >= _FEWEST and by_value.keys() >= values:
                yield tuned, [by_value[value] for value in sorted(values)]


def _key(record: Record) -> tuple[Any, ...]:
    """What separates searches for the first hyperparameter: the values of all others, that of a second included."""
    tuned, values = record.spec.tuned, record.request.hyperparameters.items()
    return search_key(record), tuple(str(value) for name, value in values if tuned and name != tuned.name)


def _rows(tuned: specs.Hyperparameter, runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    lost = (Status.DIVERGED, Status.FAILED)
    errors = [math.nan if run.outcome.status in lost else run.outcome.train_rms for run in runs]
    best = min(filter(math.isfinite, errors), default=math.nan)
    for run, error in zip(runs, errors, strict=True):
        stored, value = run.flat(), run.request.hyperparameters[tuned.name]
        yield {name: stored[name] for name in COLUMNS if name in stored} | {
            "hyperparameter": tuned.name,
            "value": value,
            "is_default": value == tuned.default,
            "metric": error,
            "ratio": best / error if math.isfinite(error) else 0.0,
            "record": run,
        }
