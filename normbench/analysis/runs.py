"""What a run had reached and spent when each loss was known: the curves behind targets, profiles and pictures."""

import math
from collections.abc import Sequence

import numpy as np

from normbench.records.schema import Record
from normbench.specs import LineDerivatives

COSTS = ("iterations", "loss_evaluations", "gradient_evaluations", "seconds")


def train_rms_curve(record: Record) -> np.ndarray:
    """Training RMS before each iteration and after the last, in the unit of the record; empty without a finite end.

    Where the losses tell it, rms_k = sqrt(loss_k) train_rms / sqrt(train_loss): the scaling of the data is one factor
    for the whole run. Elsewhere (see :class:`normbench.records.schema.Curves`) the errors at the checkpoints are
    joined by straight lines. A diverged run has no RMS to take it from.
    """
    if not math.isfinite(record.outcome.train_rms):
        return np.array([])
    if record.outcome.curves.train_rms:
        iterations = np.arange(len(record.outcome.curves.loss))
        return np.interp(iterations, record.outcome.curves.test_iterations, record.outcome.curves.train_rms)
    if not record.outcome.train_loss > 0:
        return np.array([])
    return _rms_of(record, record.outcome.curves.loss)


def test_rms_curve(record: Record) -> np.ndarray:
    """Test RMS after ``curves.test_iterations``, of a run that has a finite training RMS."""
    return (
        np.array(record.outcome.curves.test_rms)
        if record.outcome.curves.test_rms
        else _rms_of(record, record.outcome.curves.test_loss)
    )


def _rms_of(record: Record, losses: Sequence[float]) -> np.ndarray:
    return np.sqrt(np.array(losses) / record.outcome.train_loss) * record.outcome.train_rms


def cost_curve(record: Record, cost: str) -> np.ndarray:
    """What was spent when each loss was known, in iterations, passes over the training set or seconds of training.

    NaN where the record did not keep it: those of schema 1 have no counts, and of the seconds their sum only, which is
    spread evenly.

    Parameters
    ----------
    record : Record
    cost : str
        One of :data:`COSTS`.
    """
    iterations = np.arange(len(record.outcome.curves.loss), dtype=float)
    if cost == "iterations":
        return iterations
    if cost == "seconds":
        known = record.outcome.curves.seconds
        even = record.outcome.seconds_train * iterations / max(record.outcome.iterations_done, 1)
        return np.interp(iterations, record.outcome.curves.test_iterations, known) if known else even
    counted = getattr(record.outcome.curves, cost)
    return np.asarray(counted, dtype=float) if counted else np.full(len(iterations), np.nan)


def evaluations_curve(record: Record) -> np.ndarray:
    """Evaluations that were made when each loss was known; NaN where the record has no counts.

    gradients + (losses without a gradient) / 2 + derivatives beyond the first along curves

    A gradient comes with the loss at its point. What is taken along curves no trainer counts: it follows from the
    declaration of the optimiser (:class:`normbench.specs.LineDerivatives`), restarts left out.
    """
    gradients = cost_curve(record, "gradient_evaluations")
    alone = np.maximum(cost_curve(record, "loss_evaluations") - gradients, 0.0)
    return np.asarray(gradients + alone / 2 + _derivatives(record, np.arange(len(gradients))))


def evaluations_made(record: Record) -> float:
    """Evaluations of the whole run; NaN where the record has no counts."""
    return float(evaluations_curve(record)[-1]) if record.outcome.curves.gradient_evaluations else math.nan


def planned_evaluations(record: Record) -> float:
    """Evaluations that the run was to make: those of its iterations, without trials of line searches and restarts.

    With mini-batches those that it made, to two digits.
    """
    if record.request.batch_size is None:
        spec, asked = record.spec, float(record.request.iterations)
        if spec.least_squares:  # a gradient of each output, and a step
            return asked * (record.request.layers[-1] + 1)
        return asked * (_order(record) if spec.line_derivatives is LineDerivatives.ALWAYS else spec.evaluations)
    return float(f"{evaluations_made(record):.2g}")


def _derivatives(record: Record, iterations: np.ndarray) -> np.ndarray:
    """Derivatives along curves beyond the first, after so many iterations."""
    match record.spec.line_derivatives:
        case LineDerivatives.ALWAYS:
            return iterations * (_order(record) - 1)
        case LineDerivatives.START:
            return np.minimum(iterations, 1)
    return np.zeros(len(iterations))


def _order(record: Record) -> float:
    order = record.request.hyperparameters.get("order", 2)
    return float(order) if isinstance(order, int | float) else 2.0
