"""AGD on mini-batches (arXiv 2304.05187, figure 7): runs of several batch sizes, evaluation by evaluation."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from normbench.analysis.runs import test_rms_curve, train_rms_curve
from normbench.records.schema import Record


def batch_rows(records: Iterable[Record], *, samples: int, epochs: int) -> list[dict[str, Any]]:
    """One row an evaluation of every run that has an end; diverged and failed runs are left out.

    Parameters
    ----------
    records : iterable of Record
        Runs over the same number of epochs.
    samples : int
        Of the training set, which is the batch of runs without one.
    epochs : int

    Returns
    -------
    list of dict
        ``batch, seed, step, epoch, train_rms, test_rms``, the latter two in the unit of the data, and ``step_size,
        step_size_low, step_size_high``: mean, least and greatest eta since the evaluation before, NaN at the start.
    """
    whole = (run for run in records if math.isfinite(run.outcome.train_rms))
    return [
        {
            "batch": run.request.batch_size or samples,
            "seed": run.request.seed,
            "epoch": epochs * row["step"] / run.request.iterations,
        }
        | row
        for run in whole
        for row in _evaluations(run)
    ]


def _evaluations(run: Record) -> list[dict[str, Any]]:
    train, test, steps = train_rms_curve(run), test_rms_curve(run), run.outcome.curves.test_iterations
    rows = []
    for k, step in enumerate(steps):
        taken = np.array(run.outcome.curves.step_size[steps[k - 1] if k else 0 : step])
        low, mean, high = (taken.min(), taken.mean(), taken.max()) if len(taken) else (math.nan,) * 3
        rows.append(
            {
                "step": step,
                "train_rms": float(train[step]),
                "test_rms": float(test[k]),
                "step_size": float(mean),
                "step_size_low": float(low),
                "step_size_high": float(high),
            }
        )
    return rows
