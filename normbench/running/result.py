"""What a run brings: its figures in physical units and its curves as records store them, and the trajectory itself."""

import math
from dataclasses import dataclass, field

import numpy as np

from normbench.backends.trajectory import Status, Trajectory
from normbench.certificates.stored import StoredNetwork


@dataclass(frozen=True)
class Errors:
    """RMS error norm in the unit of the data, and the share classified rightly, NaN for regression."""

    rms: float
    accuracy: float


@dataclass(frozen=True)
class Curves:
    """What a run did over its iterations.

    Attributes
    ----------
    loss : tuple of float
        Normalised training loss before each iteration and after the last.
    step_size : tuple of float
        The optimiser's own step, one per iteration.
    test_iterations : tuple of int
    test_loss : tuple of float
        Normalised test loss after those iterations.
    seconds : tuple of float
        Seconds of training up to those iterations.
    loss_evaluations, gradient_evaluations : tuple of int
        Passes over the training set made by the time each entry of ``loss`` was known.
    train_rms, test_rms, train_accuracy, test_accuracy : tuple of float
        Errors after ``test_iterations`` in the unit of the record, where the losses do not tell them: for classes, for
        cross-entropy and with mini-batches.
    """

    loss: tuple[float, ...] = ()
    step_size: tuple[float, ...] = ()
    test_iterations: tuple[int, ...] = ()
    test_loss: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    loss_evaluations: tuple[int, ...] = ()
    gradient_evaluations: tuple[int, ...] = ()
    train_rms: tuple[float, ...] = ()
    test_rms: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended, finished or not. Figures that do not exist (a diverged run has no RMS) are NaN.

    Attributes
    ----------
    status : str
        "done", "stalled", "diverged" or "failed"; ``reason`` says why where it is not "done".
    unit : str
        Of the RMS, and of the Lipschitz bound per unit-norm input.
    predictors : mapping of str to mapping of str to float
        RMS of the trivial predictors on this run's split: ``{"zero": {"train": ..., "test": ...}, ...}``, see
        :func:`normbench.problems.predictors.trivial_predictors`; records from before it was noted lack ``gain``.
    train_rms, test_rms : float
        Root-mean-square error norm after the last iteration, in ``unit``; of probabilities for classes.
    train_accuracy, test_accuracy : float or None
        Share of samples classified rightly; None for regression, and where the run diverged.
    train_loss, test_loss : float
        The same in normalised units, as the optimiser saw it.
    lipschitz_bound : float
        prod ||W_i||_op after the last iteration, in ``unit`` per unit-norm input.
    lipschitz_certificate : float
        The smallest bound that was proven, in the same unit, see :func:`normbench.running.export.exported`; NaN where
        the network is none of matrices that certificates know, and in records from before there were any.
    certified_by : str
        The kind of that certificate, a key of :data:`normbench.certificates.CHECKS`; "" where there is none.
    lipschitz_measured : float
        Largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, in the same unit; a lower estimate of what the bound
        bounds, see :func:`normbench.running.certificate.largest_gain`.
    seconds_train, seconds_compile, seconds_evaluate, seconds_transfer : float
        Wall-clock seconds, each kind of work apart; device work is synchronised at the edges.
    seconds_per_iteration : float
        Of training alone; NaN where no iteration was done.
    loss_evaluations, gradient_evaluations, halvings, iterations_done : int
    curves : Curves
    """

    status: str
    reason: str
    unit: str
    predictors: dict[str, dict[str, float]]
    train_rms: float = math.nan
    test_rms: float = math.nan
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    train_loss: float = math.nan
    test_loss: float = math.nan
    lipschitz_bound: float = math.nan
    lipschitz_certificate: float = math.nan
    certified_by: str = ""
    lipschitz_measured: float = math.nan
    seconds_train: float = math.nan
    seconds_compile: float = math.nan
    seconds_evaluate: float = math.nan
    seconds_transfer: float = math.nan
    seconds_per_iteration: float = math.nan
    loss_evaluations: int = 0
    gradient_evaluations: int = 0
    halvings: int = 0
    iterations_done: int = 0
    curves: Curves = field(default_factory=Curves)

    @property
    def proven_bound(self) -> float:
        """The smaller of certificate and product; NaN where there is neither."""
        return float(np.fmin(self.lipschitz_certificate, self.lipschitz_bound))

    @classmethod
    def failed(cls, reason: str, *, unit: str, predictors: dict[str, dict[str, float]]) -> "Outcome":
        """Of a run that raised an exception or whose process died: there is no figure, ``reason`` says why."""
        return cls(status=str(Status.FAILED), reason=reason, unit=unit, predictors=predictors)


@dataclass(frozen=True, eq=False)
class RunResult:
    """What one run hands over: the outcome, which its record keeps, the trajectory, and the network to be kept if any.

    ``network`` is None where :func:`normbench.running.export.exported` is.
    """

    outcome: Outcome
    trajectory: Trajectory
    network: StoredNetwork | None
