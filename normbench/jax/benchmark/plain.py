"""A run the way a user writes it: ``jax.grad`` of a loss of the whole batch, and an optax transformation.

Slower than :mod:`normbench.jax.benchmark.trainer`, it shares none of its derivatives or tiles: validation runs both.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench import specs
from normbench.backends.trajectory import Progress, Trajectory
from normbench.jax.benchmark.drop_ins import drop_in
from normbench.jax.benchmark.network import apply, loss_value
from normbench.jax.benchmark.precision import of_run
from normbench.jax.transformations.averages import AVERAGING, averaged
from normbench.jax.updates.parametrisations import weights_of
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem
from normbench.specs import parametrisations

Weights = tuple[Array, ...]


class _Step(NamedTuple):
    weights: Weights
    state: Any
    loss: Array
    step_size: Array


class PlainTrainer:
    """A full-batch run of one optax transformation; follows :class:`normbench.backends.trajectory.Path`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.
    64-bit types are enabled for the calls of this trainer only.
    """

    def __init__(self, problem: Problem, key: str, hyperparameters: dict[str, Any], *, dtype: str) -> None:
        self._dtype = dtype
        self._learning_rate = hyperparameters.get("learning_rate")
        self._problem = problem
        spec = specs.get(key)
        way = parametrisations.way(spec, None, problem.network)
        options = hyperparameters | (problem.majorant_constants if spec.bounded else {})
        start = problem.weights
        self._plain: Callable[[Weights], Weights] = tuple
        if way is not None:
            start = initial_variables(*way, problem.weights)
            self._plain = weights_of(*way, problem.network.weight_shapes)
            options |= {"radius": 1.0}  # of what moves in balls alone
        self._transformation = drop_in(key, options)
        with of_run(dtype):
            self._train = self._place(problem.x_train, problem.y_train)
            self._weights = self._place(*start)
            self._state = self._transformation.init(self._weights)
            self._step = jax.jit(self._stepped)
            self._progress = Progress(float(self._value(self._weights, *self._train)), (1, 0))

    def _judged(self, weights: Weights, state: Any) -> Weights:
        """What the optimiser is judged by: the average where it has one."""
        return averaged(state, weights) if isinstance(state, AVERAGING) else weights

    def _place(self, *arrays: np.ndarray) -> tuple[Array, ...]:
        return tuple(jnp.asarray(array, self._dtype) for array in arrays)

    def _value(self, weights: Weights, x: Array, y: Array) -> Array:
        outputs = apply(self._problem.network, self._plain(weights), x)
        return loss_value(self._problem.loss, outputs, y, self._problem.loss_divisor)

    def _stepped(self, weights: Weights, state: Any, x: Array, y: Array) -> _Step:
        objective = partial(self._value, x=x, y=y)
        value, gradient = jax.value_and_grad(objective)(weights)
        updates, state = self._transformation.update(gradient, state, weights, value=value, value_fn=objective)
        weights = optax.apply_updates(weights, updates)
        step_size = getattr(state, "step_size", self._learning_rate)
        return _Step(weights, state, objective(self._judged(weights, state)), jnp.asarray(step_size))

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        with of_run(self._dtype):
            return self._progress.repeat(self._iterate, steps)

    def _iterate(self) -> None:
        new = self._step(self._weights, self._state, *self._train)
        self._weights, self._state = new.weights, new.state
        done = self._progress.iterations + 1
        self._progress.add(float(new.loss), float(new.step_size), (2 * done + 1, done))

    def trajectory(self) -> Trajectory:
        """Everything so far; what a step evaluates inside stays inside the transformation."""
        with of_run(self._dtype):
            weights = self._plain(self._judged(self._weights, self._state))
        return self._progress.trajectory(tuple(np.asarray(w, dtype=np.float64) for w in weights))
