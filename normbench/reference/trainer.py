"""The reference's training loop: one iteration at a time, everything in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from normbench.backends.trajectory import Part, Progress, Trajectory
from normbench.problems.problem import Problem
from normbench.reference import network, perceptron
from normbench.reference.registry import METHODS


def _quiet() -> np.errstate:
    return np.errstate(over="ignore", invalid="ignore")  # divergence is a result, see Status


class ReferenceTrainer:
    """A run of one optimiser in float64 NumPy; follows :class:`normbench.backends.trajectory.Trainer`.

    Parameters
    ----------
    problem : Problem
    key : str
        Optimiser, see :data:`normbench.specs.SPECS`.
    hyperparameters : dict
        Every hyperparameter of the optimiser, resolved.
    rows : array of int, shape (iterations, samples of a batch), optional
        Which samples each iteration sees; all of them without it.

    Raises
    ------
    InvalidArgumentError
        If the network has layers that the reference does not know.
    """

    def __init__(
        self, problem: Problem, key: str, hyperparameters: dict[str, Any], *, rows: np.ndarray | None = None
    ) -> None:
        self._problem = problem
        self._rows = rows
        self._method = METHODS[key]
        self._hyperparameters = dict(hyperparameters)
        self._weights = problem.weights
        whole = _objective(problem, problem.x_train, problem.y_train)
        self._done = np.zeros(2, dtype=np.int64)  # samples that batches which are behind have passed
        self._objective = whole if rows is None else self._batch(rows[0])
        with _quiet():
            self._state = self._method.init(whole, problem.weights, self._hyperparameters)
            self._progress = Progress(self._objective.loss(problem.weights), self._passed())

    def _batch(self, rows: np.ndarray) -> Any:
        return _objective(self._problem, self._problem.x_train[rows], self._problem.y_train[rows])

    def _passed(self) -> np.ndarray:
        """Samples seen so far for the loss, and for its gradient."""
        return self._done + len(self._objective.x) * np.array(self._objective.evaluations)

    def compile(self) -> None:
        """Nothing to prepare."""

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        with _quiet():
            return self._progress.repeat(self._iterate, steps)

    def _next_batch(self) -> float:
        """Turn to the batch of the iteration that comes next; its loss, evaluated anew unless it is known."""
        iteration = self._progress.iterations
        if self._rows is None or not 0 < iteration < len(self._rows):
            return self._progress.losses[-1]
        self._done = self._passed()
        self._objective = self._batch(self._rows[iteration])
        return self._objective.loss(self._weights)

    def _iterate(self) -> None:
        loss = self._next_batch()
        result = self._method.step(self._objective, self._weights, loss, self._state, self._hyperparameters)
        self._weights, self._state = result.weights, result.state
        self._progress.add(result.loss, result.step_size, self._passed(), result.halvings)

    def test_loss(self) -> float:
        """Loss on the test set at the present weights."""
        return _objective(self._problem, self._problem.x_test, self._problem.y_test).loss(self._weights)

    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """What the network gives for the training or the test set at the present weights, in one piece."""
        x = {Part.TRAIN: self._problem.x_train, Part.TEST: self._problem.x_test}[part]
        yield network.forward(self._problem.network, self._weights, x)

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further iterations."""
        self._hyperparameters["learning_rate"] *= factor

    def trajectory(self) -> Trajectory:
        """Everything so far."""
        return self._progress.trajectory(self._weights, passes=len(self._problem.x_train))


def _objective(problem: Problem, x: np.ndarray, y: np.ndarray) -> Any:
    if problem.is_by_hand:
        return perceptron.Objective(x, y, problem.loss_divisor)
    return network.Objective(problem.network, x, y, problem.loss, problem.loss_divisor)
