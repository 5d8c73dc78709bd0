"""What a run had reached after a budget of evaluations at a bound, or why it has no figure there."""

import math
from enum import StrEnum

import numpy as np

from normbench.analysis.runs import evaluations_curve, test_rms_curve
from normbench.backends.trajectory import Status
from normbench.records.schema import Record

SHORTFALL = 0.02  # of the budget that a run may lack: its last iteration need not end on it


class Lost(StrEnum):
    """Why there is no figure."""

    NOT_RUN = "not run"
    FAILED = "failed or diverged"
    UNCERTIFIED = "without a certificate"
    ABOVE = "with a certificate above the bound"
    UNCOUNTED = "without counts of evaluations"
    SHORT = "stopped by its iterations before the budget"
    OUTSIDE = "not between certificates that were measured"


def rms_at(record: Record, evaluations: float) -> float | Lost:
    """Test RMS after so many evaluations.

    Linear between the checkpoints on either side, in evaluations; never beyond what was run. A run that ended by itself
    has its last figure for good, and so has one that lacks less than 2 % of the budget.

    Parameters
    ----------
    record : Record
    evaluations : float
        See :func:`normbench.analysis.runs.evaluations_curve`.
    """
    if record.outcome.status in (Status.DIVERGED, Status.FAILED) or not math.isfinite(record.outcome.test_rms):
        return Lost.FAILED
    curve = evaluations_curve(record)
    spent = curve[list(record.outcome.curves.test_iterations)] if len(curve) else curve
    if not len(spent) or not np.isfinite(spent).all():
        return Lost.UNCOUNTED
    if spent[-1] < (1 - SHORTFALL) * evaluations and record.outcome.status != Status.STALLED:
        return Lost.SHORT
    found = float(np.interp(evaluations, spent, test_rms_curve(record)))
    return found if evaluations >= spent[0] and math.isfinite(found) else Lost.FAILED


def refused(record: Record) -> Lost | None:
    """Why the run does not count at its bound, if it does not: what was proven is nothing, or more than was asked for.

    A run without a bound needs a certificate alone.
    """
    if not record.outcome.certified_by or not math.isfinite(record.outcome.lipschitz_certificate):
        return Lost.UNCERTIFIED
    asked = record.request.lipschitz
    return Lost.ABOVE if asked is not None and record.outcome.lipschitz_certificate > asked else None


def rms_within(record: Record, evaluations: float) -> float | Lost:
    """:func:`rms_at` of a run that keeps its bound."""
    found = rms_at(record, evaluations)
    return found if found is Lost.FAILED else refused(record) or found
