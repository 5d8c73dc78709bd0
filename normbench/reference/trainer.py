"""The reference's training loop: full batch, one iteration at a time, everything in float64."""

from typing import Any

import numpy as np

from normbench.normalisation import Problem
from normbench.reference.perceptron import Objective
from normbench.reference.registry import METHODS
from normbench.trajectory import Status, Trajectory, ending


class ReferenceTrainer:
    """A run of one optimiser in float64 NumPy; follows :class:`normbench.trajectory.Trainer`.

    Parameters
    ----------
    problem : Problem
    key : str
        Optimiser, see :data:`normbench.specs.SPECS`.
    hyperparameters : dict
        Every hyperparameter of the optimiser, resolved.
    """

    def __init__(self, problem: Problem, key: str, hyperparameters: dict[str, Any]) -> None:
        self._objective = Objective(problem.x_train, problem.y_train, problem.loss_divisor)
        self._test = Objective(problem.x_test, problem.y_test, problem.loss_divisor)
        self._method = METHODS[key]
        self._hyperparameters = hyperparameters
        self._weights = problem.weights
        self._state = self._method.init(self._objective, problem.weights, hyperparameters)
        self._losses = [self._objective.loss(problem.weights)]
        self._evaluations = [self._objective.evaluations]
        self._step_sizes: list[float] = []
        self._halvings = 0
        self._status, self._reason = ending(self._losses[0], 0, stalled=False)

    def compile(self) -> None:
        """Nothing to prepare."""

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        done = 0
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is a result, see Status
            while done < steps and self._status is Status.DONE:
                done += 1
                self._iterate()
        return done

    def _iterate(self) -> None:
        result = self._method.step(self._objective, self._weights, self._losses[-1], self._state, self._hyperparameters)
        self._weights, self._state = result.weights, result.state
        self._losses.append(result.loss)
        self._evaluations.append(self._objective.evaluations)
        self._step_sizes.append(result.step_size)
        self._halvings += result.halvings
        stalled = result.step_size == 0.0
        self._status, self._reason = ending(result.loss, len(self._step_sizes), stalled=stalled)

    def test_loss(self) -> float:
        """Loss on the test set at the present weights."""
        return self._test.loss(self._weights)

    def trajectory(self) -> Trajectory:
        """Everything so far."""
        evaluations = np.array(self._evaluations)
        return Trajectory(
            loss=np.array(self._losses),
            step_size=np.array(self._step_sizes),
            weights=self._weights,
            loss_evaluations=evaluations[:, 0],
            gradient_evaluations=evaluations[:, 1],
            halvings=self._halvings,
            status=self._status,
            reason=self._reason,
        )
