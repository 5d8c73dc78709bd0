"""The reference's training loop: one iteration at a time, everything in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from normbench import specs
from normbench.backends.method import Method, implementations
from normbench.backends.trajectory import Part, Progress, Trajectory
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem, Weights
from normbench.reference.network import Objective, forward
from normbench.reference.parametrisations import chart
from normbench.reference.through import Through
from normbench.specs import parametrisations

METHODS = implementations("normbench.reference", specs.on("reference"))


def _method(key: str, hyperparameters: dict[str, Any]) -> Method:
    return METHODS[key](**hyperparameters).as_method(lambda objective, point: objective.gradient(point.weights))


def _quiet() -> np.errstate:
    return np.errstate(over="ignore", invalid="ignore")  # divergence is a result, see Status


class ReferenceTrainer:
    """A run of one optimiser in float64 NumPy; follows :class:`normbench.backends.trajectory.Trainer`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.

    Raises
    ------
    InvalidArgumentError
        If the network has layers that the reference does not know, or the parametrisation does not go with it or with
        the optimiser.
    """

    def __init__(
        self,
        problem: Problem,
        key: str,
        hyperparameters: dict[str, Any],
        *,
        rows: np.ndarray | None = None,
        feed: Iterator[tuple[np.ndarray, np.ndarray]] | None = None,
        parametrisation: str | None = None,
    ) -> None:
        self._problem = problem
        self._batches = feed
        if rows is not None:
            self._batches = ((problem.x_train[own], problem.y_train[own]) for own in rows)
        self._key = key
        self._hyperparameters = dict(hyperparameters)
        self._method = _method(key, self._hyperparameters)
        self._way = parametrisations.way(specs.get(key), parametrisation, problem.network)
        self._chart = None if self._way is None else chart(*self._way, problem.network.weight_shapes)
        variables = problem.weights if self._way is None else initial_variables(*self._way, problem.weights)
        whole = Objective.of(problem)
        self._done = np.zeros(2, dtype=np.int64)  # samples that batches which are behind have passed
        self._objective = whole if self._batches is None else Objective.of(problem, *next(self._batches))
        with _quiet():
            self._state = self._method.init(self._asked(whole), variables)
            self._point = self._asked(self._objective).point(variables)
            self._progress = Progress(self._point.loss, self._passed())

    def _asked(self, objective: Objective) -> Objective | Through:
        """The objective of what the optimiser moves."""
        if self._way is None or self._chart is None:
            return objective
        return Through(objective, self._chart, self._way.geometry)

    def _plain_weights(self) -> Weights:
        """Plain weights at present."""
        moved = self._point.weights
        return moved if self._chart is None else self._chart.weights(moved)

    def _passed(self) -> np.ndarray:
        """Samples seen so far for the loss, and for its gradient."""
        return self._done + len(self._objective.x) * np.array(self._objective.evaluations)

    def compile(self) -> None:
        """Nothing to prepare."""

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        with _quiet():
            return self._progress.repeat(self._iterate, steps)

    def _next_batch(self) -> None:
        """Turn to the batch of the iteration that comes next, whose loss is evaluated anew."""
        batch = None if self._batches is None or self._progress.iterations == 0 else next(self._batches, None)
        if batch is None:
            return
        self._done = self._passed()
        self._objective = Objective.of(self._problem, *batch)
        self._point = self._asked(self._objective).point(self._point.weights)

    def _iterate(self) -> None:
        self._next_batch()
        result = self._method.step(self._asked(self._objective), self._point, self._state)
        self._point, self._state = result.point, result.state
        self._progress.add(result.point.loss, result.step_size, self._passed(), result.halvings)

    def test_loss(self) -> float:
        """Loss on the test set at the present weights."""
        return Objective.of(self._problem, self._problem.x_test[:], self._problem.y_test).loss(self._plain_weights())

    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """What the network gives for the training or the test set at the present weights, in one piece."""
        x = {Part.TRAIN: self._problem.x_train, Part.TEST: self._problem.x_test}[part]
        yield forward(self._problem.network, self._plain_weights(), x[:])

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further iterations."""
        self._hyperparameters["learning_rate"] *= factor
        self._method = _method(self._key, self._hyperparameters)

    def trajectory(self) -> Trajectory:
        """Everything so far."""
        variables = () if self._chart is None else self._point.weights
        return self._progress.trajectory(self._plain_weights(), variables, passes=len(self._problem.x_train))
