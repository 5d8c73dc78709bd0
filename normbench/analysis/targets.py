"""What a target costs: iterations, passes over the data and seconds until the training RMS is low enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from normbench.analysis.runs import COSTS, cost_curve, train_rms_curve
from normbench.backends.trajectory import Status
from normbench.numbers import positive
from normbench.records.schema import Record


@dataclass(frozen=True)
class Reach:
    """What one run spent until its training RMS was at the target, or in all where it never was.

    Attributes
    ----------
    iterations : float
        Between two iterations by linear interpolation.
    loss_evaluations, gradient_evaluations : float
        Passes over the training set, as the trainer counted them; NaN for records of schema 1, which kept totals only.
    seconds : float
        Training only, without compilation and evaluation; NaN for a run that failed.
    censored : bool
        True if the target was not reached: it would have cost more than this, or cannot be reached.
    """

    iterations: float
    loss_evaluations: float
    gradient_evaluations: float
    seconds: float
    censored: bool


def reach(record: Record, target_rms: float) -> Reach:
    """When the lowest training RMS so far comes down to the target.

    The running minimum is interpolated linearly between iterations; the counts and, between the checkpoints of the
    clock, the seconds likewise. Diverged and failed runs reach nothing, whatever they passed on their way.

    Parameters
    ----------
    record : Record
    target_rms : float
        In the unit of the record.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    return reaches(record, [target_rms])[0]


def reaches(record: Record, targets_rms: Sequence[float]) -> list[Reach]:
    """:func:`reach` for many targets, with the curves of the run made once."""
    for target in targets_rms:
        positive("target_rms", target)
    lowest = np.fmin.accumulate(train_rms_curve(record))
    if record.outcome.status in (Status.DIVERGED, Status.FAILED) or not len(lowest):
        return [spent(record)] * len(targets_rms)
    positions = [math.nan if lowest[-1] > target else _crossing(lowest, target) for target in targets_rms]
    amounts = {cost: np.interp(positions, np.arange(len(lowest)), cost_curve(record, cost)) for cost in COSTS}
    return [
        spent(record)
        if math.isnan(position)
        else Reach(**{cost: float(values[k]) for cost, values in amounts.items()}, censored=False)
        for k, position in enumerate(positions)
    ]


def spent(record: Record) -> Reach:
    """What the run spent in all, as for a target that it does not reach."""
    return Reach(
        iterations=float(record.outcome.iterations_done),
        loss_evaluations=float(record.outcome.loss_evaluations),
        gradient_evaluations=float(record.outcome.gradient_evaluations),
        seconds=record.outcome.seconds_train,
        censored=True,
    )


def _crossing(lowest: np.ndarray, target_rms: float) -> float:
    """Iteration, a fraction included, at which a curve that never rises comes down to the target."""
    after = int(np.argmax(lowest <= target_rms))
    if not after:
        return 0.0
    above, below = lowest[after - 1], lowest[after]
    return after - 1 + float((above - target_rms) / (above - below))


@dataclass(frozen=True)
class Median:
    """Median of a cost over runs.

    Attributes
    ----------
    value : float
    censored : bool
        True if half of the runs or more did not reach the target; ``value`` is then a lower bound.
    """

    value: float
    censored: bool


@dataclass(frozen=True)
class Attainment:
    """A target over all runs of a row: how many reached it, and the median of what that took.

    A run that did not reach it counts as one of infinite cost: a median over those that did would be the lower the more
    runs fail. Where this makes the median infinite, it is given as more than the median of what was spent.
    """

    runs: int
    reached: int
    iterations: Median
    loss_evaluations: Median
    gradient_evaluations: Median
    seconds: Median


def attain(runs: Sequence[Record], target_rms: float) -> Attainment:
    """How the runs of one row reach a training RMS, see :func:`reach`.

    Raises
    ------
    InvalidArgumentError
        If the target is not positive and finite.
    """
    found = [reach(run, target_rms) for run in runs]
    return Attainment(len(found), sum(not one.censored for one in found), *(_median(found, cost) for cost in COSTS))


def _median(found: Sequence[Reach], cost: str) -> Median:
    spent = [getattr(one, cost) for one in found]
    charged = [math.inf if one.censored else value for one, value in zip(found, spent, strict=True)]
    middle = float(np.median(charged))
    if middle < math.inf or math.isnan(middle):
        return Median(middle, False)
    return Median(float(np.median(np.nan_to_num(spent))), True)  # a run that failed has no clock: 0 is all that is sure
