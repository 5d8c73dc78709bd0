"""What every backend returns from a run: losses, step sizes, weights and honest counts, as NumPy arrays."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import numpy as np

from normbench.errors import BackendUnavailableError

Device = TypeVar("Device")

Counts = Sequence[float] | np.ndarray  # evaluations of the loss and of its gradient

EVALUATED, VALUES = 1024, 2**24  # samples at a time where no gradient is wanted, and at most so many outputs


def samples_at_once(outputs: int) -> int:
    """How many samples of so many outputs each are evaluated at a time where no gradient is wanted."""
    return max(1, min(EVALUATED, VALUES // outputs))


def first_devices(devices: int, found: Sequence[Device], kind: str, *, remedy: str = "") -> list[Device]:
    """The first of those that were found.

    Parameters
    ----------
    devices : int
        That are asked for.
    found : sequence
    kind : str
        "CUDA": what they are.
    remedy : str
        What else to do than to ask for fewer.

    Raises
    ------
    BackendUnavailableError
        If there are fewer.
    """
    if devices > len(found):
        some = f"{len(found)} {kind} device" + ("s" if len(found) != 1 else "")
        raise BackendUnavailableError(
            f"devices={devices} where this process has {some}. Ask for at most {len(found)}{remedy}."
        )
    return list(found[:devices])


class Status(StrEnum):
    """How a run ended."""

    DONE = "done"
    STALLED = "stalled"
    DIVERGED = "diverged"
    FAILED = "failed"


class Part(StrEnum):
    """Which samples."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One training run, as far as it got.

    Attributes
    ----------
    loss : array, shape (iterations_done + 1,), float64
        Normalised training loss before each iteration and after the last; with mini-batches the first is that of the
        first batch, and each other that of the batch that made the iteration, after it.
    step_size : array, shape (iterations_done,), float64
        The optimiser's own step: tau in radians, eta, or the learning rate.
    weights : tuple of arrays, float64
        Weights after the last iteration.
    loss_evaluations, gradient_evaluations : array, shape (iterations_done + 1,), int64
        Passes over the training set made by the time each entry of ``loss`` was known, counted where they happen.
    halvings : int
        Times that the monotone safeguard halved a step.
    status : Status
    reason : str
        Why the run stopped early; empty if it did not.
    variables : tuple of arrays, float64
        What the optimiser moved, where a parametrisation makes the weights of it; else empty.
    """

    loss: np.ndarray
    step_size: np.ndarray
    weights: tuple[np.ndarray, ...]
    loss_evaluations: np.ndarray
    gradient_evaluations: np.ndarray
    halvings: int
    status: Status
    reason: str
    variables: tuple[np.ndarray, ...] = ()


class Path(Protocol):
    """A run in progress, of which only what it does to the weights is asked."""

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done (fewer only if the run has ended)."""

    def trajectory(self) -> Trajectory:
        """Everything so far."""


class Trainer(Path, Protocol):
    """A run in progress on one backend.

    Building a trainer transfers the data; every method returns with the device idle.
    """

    def compile(self) -> None:
        """Prepare everything that is paid once, without changing the state of the run."""

    def test_loss(self) -> float:
        """Normalised loss on the test set at the present weights."""

    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """What the network gives for the training or the test set at the present weights, before any softmax.

        In pieces of samples, in their order: all of them at once need not fit into memory.
        """

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further iterations; for optimisers that have one."""


def ending(loss: float, iteration: int, *, stalled: bool) -> tuple[Status, str]:
    """Status and reason of a run at ``iteration``, from its last loss and whether its last step was zero."""
    if not np.isfinite(loss):
        return Status.DIVERGED, f"the training loss became {loss} at iteration {iteration}"
    if stalled:
        return Status.STALLED, f"no step lowers the loss in this precision after iteration {iteration}"
    return Status.DONE, ""


class Progress:
    """What a run has come to, iteration by iteration, and whether it has ended.

    Parameters
    ----------
    loss : float
        Before the first iteration.
    evaluations : pair of int
        Evaluations of the loss and of its gradient that it took.
    """

    def __init__(self, loss: float, evaluations: Counts) -> None:
        self.losses = [loss]
        self._evaluations = [evaluations]
        self._step_sizes: list[float] = []
        self._halvings = 0
        self._status, self._reason = ending(loss, 0, stalled=False)

    @property
    def iterations(self) -> int:
        """How many are done."""
        return len(self._step_sizes)

    def repeat(self, iterate: Callable[[], None], steps: int) -> int:
        """Call ``iterate``, which adds an iteration, up to ``steps`` times; return how often, fewer if the run ends."""
        before = self.iterations
        while self.iterations - before < steps and self._status is Status.DONE:
            iterate()
        return self.iterations - before

    def add(self, loss: float, step_size: float, evaluations: Counts, halvings: int = 0) -> None:
        """One iteration: the loss after it, its step, all evaluations so far, and how often the step was halved."""
        self.losses.append(loss)
        self._evaluations.append(evaluations)
        self._step_sizes.append(step_size)
        self._halvings += halvings
        self._status, self._reason = ending(loss, self.iterations, stalled=step_size == 0.0)

    def trajectory(
        self, weights: tuple[np.ndarray, ...], variables: tuple[np.ndarray, ...] = (), *, passes: int = 1
    ) -> Trajectory:
        """Everything so far; ``passes`` evaluations make one over the training set."""
        evaluations = np.rint(np.array(self._evaluations) / passes).astype(np.int64)
        return Trajectory(
            loss=np.array(self.losses),
            step_size=np.array(self._step_sizes),
            weights=weights,
            loss_evaluations=evaluations[:, 0],
            gradient_evaluations=evaluations[:, 1],
            halvings=self._halvings,
            status=self._status,
            reason=self._reason,
            variables=variables,
        )
