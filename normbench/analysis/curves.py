"""Loss, RMS and step size of runs over their iterations, and their mean and standard deviation over seeds."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from normbench.analysis.runs import test_rms_curve, train_rms_curve
from normbench.backends.trajectory import Status
from normbench.records.schema import Record

LOSS, RMS, STEP = "loss", "RMS", "step size"
_POINTS = 300  # of a curve, about: more cannot be told apart in print


def run_curves(run: Record) -> pd.DataFrame:
    """Loss and RMS of both parts and the step size, one row a value: ``quantity, part, iteration, value``.

    Of runs beyond 300 iterations every so many-th is kept, the same for all seeds.
    """
    curves = run.outcome.curves
    train, test = np.array(curves.loss), np.array(curves.test_loss)
    frames = [
        _frame(LOSS, "train", range(len(train)), train),
        _frame(RMS, "train", range(len(train)), train_rms_curve(run)),
        _frame(LOSS, "test", curves.test_iterations, test),
        _frame(RMS, "test", curves.test_iterations, test_rms_curve(run)),
        _frame(STEP, "train", range(1, len(train)), np.array(curves.step_size)),
    ]
    every = pd.concat(frames, ignore_index=True)
    stride = math.ceil(run.request.iterations / _POINTS)
    return every[(every["part"] == "test") | (every["iteration"] % stride == 0)]


def _frame(quantity: str, part: str, iterations: Iterable[int], values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"quantity": quantity, "part": part, "iteration": list(iterations), "value": values})


def mean_curves(records: Iterable[Record], names: Callable[[Record], dict[str, Any]]) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every curve; diverged and failed runs are left out.

    Parameters
    ----------
    records : iterable of Record
    names : callable
        What tells the curves apart: columns and their values for a run.

    Returns
    -------
    DataFrame
        The columns of ``names``, then ``quantity, part, iteration, mean, sd, seeds``.
    """
    whole = [run for run in records if run.outcome.status not in (Status.DIVERGED, Status.FAILED)]
    every = pd.concat([run_curves(run).assign(**names(run)) for run in whole], ignore_index=True)
    columns = [*names(whole[0]), "quantity", "part", "iteration"]
    return every.groupby(columns, sort=False)["value"].agg(mean="mean", sd="std", seeds="count").reset_index()
