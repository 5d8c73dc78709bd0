"""What a finished run hands over: the trajectory, the figures in physical units, and the clock's readings."""

import math
from dataclasses import dataclass

import numpy as np

from normbench.backends.trajectory import Part, Trajectory
from normbench.running.request import RunRequest


@dataclass(frozen=True)
class Clock:
    """Wall-clock seconds of one run, each kind of work apart; device work is synchronised at the edges."""

    transfer: float
    compile: float
    train: float
    evaluate: float


@dataclass(frozen=True)
class Errors:
    """RMS error norm in the unit of the data, and the share classified rightly, NaN for regression."""

    rms: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run, finished or not.

    Attributes
    ----------
    request : RunRequest
    data_sha256 : str
    simulated : bool
    unit : str
        Unit of the RMS and of the Lipschitz bound (per unit-norm input).
    trajectory : Trajectory
    test_iterations : array, shape (checkpoints,), int
        Iterations after which the test loss was evaluated.
    test_loss, seconds : array, shape (checkpoints,), float64
        The loss there, and the seconds of training up to there.
    errors : list of mapping of Part to Errors
        The errors there, where the losses do not tell them (classes, cross-entropy, mini-batches); else empty.
    train_rms, test_rms : float
        At the last iteration, in ``unit``; NaN if the run diverged.
    train_accuracy, test_accuracy : float
        Share classified rightly; NaN for regression.
    lipschitz_bound : float
        prod ||W_i||_op at the last iteration, in ``unit`` per unit-norm input.
    lipschitz_measured : float
        Largest gain over many pairs of inputs, see :func:`normbench.running.certificate.largest_gain`.
    clock : Clock
    threads : int
        Threads that the run was allowed.
    """

    request: RunRequest
    data_sha256: str
    simulated: bool
    unit: str
    trajectory: Trajectory
    test_iterations: np.ndarray
    test_loss: np.ndarray
    seconds: np.ndarray
    errors: list[dict[Part, Errors]]
    train_rms: float
    test_rms: float
    train_accuracy: float
    test_accuracy: float
    lipschitz_bound: float
    lipschitz_measured: float
    clock: Clock
    threads: int

    @property
    def seconds_per_iteration(self) -> float:
        """Of training alone; NaN where no iteration was done."""
        done = len(self.trajectory.step_size)
        return self.clock.train / done if done else math.nan
