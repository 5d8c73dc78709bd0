"""Frames as the data of a chart: with the digits that are drawn, their spread, and levels to hold them against."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import altair as alt
import numpy as np
import pandas as pd

from normbench.presentation.compact import significant
from normbench.problems.predictors import NAMES
from normbench.records.schema import Record

_DIGITS = 6  # of what is drawn, as in the CSV


class SharedRows(alt.InlineData):
    """Rows that copies of a chart share: Altair copies charts whenever it puts some together, and changes no row."""

    def __deepcopy__(self, memo: Any) -> Self:
        return type(self)(**self._kwds)


def rows(data: pd.DataFrame) -> SharedRows:
    """A frame as data of a chart, with the digits of the CSV; NaN and infinity are not drawn."""
    return SharedRows(
        values=[{str(name): _short(value) for name, value in row.items()} for row in data.to_dict("records")]
    )


def _short(value: Any) -> Any:
    return significant(float(value), _DIGITS) if isinstance(value, float) else value


def spread(data: pd.DataFrame, *, mean: str = "mean", sd: str = "sd", floor: float = -math.inf) -> pd.DataFrame:
    """The frame with ``low`` and ``high``, one standard deviation to either side; a low below ``floor`` ends there."""
    return data.assign(low=(data[mean] - data[sd]).clip(lower=floor), high=data[mean] + data[sd])


def trivial(records: Iterable[Record], part: str) -> pd.DataFrame:
    """RMS of the predictors without an optimiser, mean over seeds: ``predictor, rms``."""
    by_seed = {run.request.seed: run.outcome.predictors for run in records}
    means = [float(np.mean([found[name][part] for found in by_seed.values()])) for name in NAMES]
    return pd.DataFrame({"predictor": NAMES, "rms": means})


def chosen(data: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Rows that have those values."""
    return data[np.logical_and.reduce([data[name] == value for name, value in where.items()])]
