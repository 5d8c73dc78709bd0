"""The JAX trainer: a whole segment of iterations in one compiled program.

Perceptrons have gradients by hand, every other network by automatic differentiation.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from normbench import specs
from normbench.backends.trajectory import Part, Trajectory, ending
from normbench.jax.benchmark.evaluation import Streamed, mean_loss, on_one, outputs_of
from normbench.jax.benchmark.methods import method, traced
from normbench.jax.benchmark.perceptron import Point
from normbench.jax.benchmark.place import Place
from normbench.jax.benchmark.precision import of_run
from normbench.jax.benchmark.spread import Layout, Spread, SpreadBatches
from normbench.jax.updates.through import Moved, asked, plain
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem
from normbench.specs import LEARNING_RATE, parametrisations


class _Run(NamedTuple):
    """State of a run on the device; the plural fields are buffers as long as the run may become.

    ``evaluations`` counts the sweeps made by the time each loss was known; every sweep makes loss and gradient.
    """

    iteration: Array
    point: Point
    state: Any
    losses: Array
    step_sizes: Array
    evaluations: Array
    halvings: Array
    ended: Array


@partial(jax.jit, static_argnames=("key", "static", "through"))
def _begin(
    objective: Any,
    weights: Any,
    hyper: dict[str, Array],
    buffer: Array,
    rows: Array | None,
    *,
    key: str,
    static: tuple,
    through: Moved | None,
) -> _Run:
    point = asked(objective if rows is None else objective.at(rows[0]), through).point(weights)
    state = method(key, hyper | dict(static)).init(asked(objective, through), weights)
    zero = jnp.zeros((), jnp.int32)
    losses = jnp.append(buffer, 0).at[0].set(point.loss)
    evaluations = jnp.zeros(losses.shape, jnp.int32).at[0].set(1)
    return _Run(zero, point, state, losses, buffer, evaluations, zero, ~jnp.isfinite(point.loss))


@partial(jax.jit, static_argnames=("key", "static", "through", "fed"), donate_argnames=("run",))
def _advance(
    objective: Any,
    run: _Run,
    stop: Array,
    hyper: dict[str, Array],
    rows: Array | None,
    *,
    key: str,
    static: tuple,
    through: Moved | None,
    fed: bool,
) -> _Run:
    """Iterate until ``stop`` iterations are done or the run has ended; ``rows`` are the samples of every iteration.

    ``fed``: the objective is that of the batch of the one iteration that is asked for.
    """

    def iterate(run: _Run) -> _Run:
        here, point, anew = objective, run.point, 0
        if rows is not None or fed:
            here = objective if rows is None else objective.at(rows[run.iteration])
            anew = jnp.minimum(run.iteration, 1)  # the first is at hand
            point = asked(here, through).point(point.weights)
        new = method(key, hyper | dict(static)).step(asked(here, through), point, run.state)
        if rows is not None or fed:  # the next batch has its own gradient: left out, none is computed for this one
            nothing = tuple(jnp.zeros_like(g) for g in new.point.gradient)
            new = new._replace(point=new.point._replace(gradient=nothing))
        k = run.iteration + 1
        return _Run(
            iteration=k,
            point=new.point,
            state=new.state,
            losses=run.losses.at[k].set(new.point.loss),
            step_sizes=run.step_sizes.at[k - 1].set(new.step_size),
            evaluations=run.evaluations.at[k].set(run.evaluations[k - 1] + anew + new.evaluations),
            halvings=run.halvings + new.halvings,
            ended=~jnp.isfinite(new.point.loss) | (new.step_size == 0),
        )

    return jax.lax.while_loop(lambda run: (run.iteration < stop) & ~run.ended, iterate, run)


class JaxTrainer:
    """A run of one optimiser in JAX; follows :class:`normbench.backends.trajectory.Trainer`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.
    64-bit types are enabled for the calls of this trainer only.

    Raises
    ------
    BackendUnavailableError
        If the device is not there.
    InvalidArgumentError
        If the parametrisation does not go with the optimiser or the network.
    """

    def __init__(
        self,
        problem: Problem,
        key: str,
        hyperparameters: dict[str, Any],
        *,
        iterations: int,
        dtype: str,
        device: str,
        rows: np.ndarray | None = None,
        feed: Iterator[tuple[np.ndarray, np.ndarray]] | None = None,
        parametrisation: str | None = None,
        devices: int = 1,
    ) -> None:
        self._dtype = dtype
        self._place = Place(device, devices, dtype)
        # floats are traced, so that one program serves every learning rate; integers and None choose the program
        left_open = traced(key, hyperparameters)
        way = parametrisations.way(specs.get(key), parametrisation, problem.network)
        self._through = None if way is None else Moved(way, problem.network.weight_shapes)
        start = problem.weights if way is None else initial_variables(*way, problem.weights)
        self._options: dict[str, Any] = {
            "key": key,
            "through": self._through,
            "static": tuple((name, v) for name, v in hyperparameters.items() if name not in left_open),
        }
        with self._precision():
            self._hyper = {name: self._array(value) for name, value in left_open.items()}
            self._sizes = {Part.TRAIN: len(problem.x_train), Part.TEST: len(problem.x_test)}
            self._samples = self._sizes[Part.TRAIN] if rows is None else rows.shape[1]  # of a sweep
            self._by_hand = rows is None and feed is None and problem.is_by_hand
            self._make = partial(self._place.by_hand if self._by_hand else self._place.network, problem)
            self._test = self._place.on_first(self._make(problem.x_test, problem.y_test))
            self._objective, self._rows = self._training(problem.x_train, problem.y_train, rows, fed=feed is not None)
            self._feed, self._at_hand = feed, self._objective  # what an iteration sees
            if feed is not None:
                x, y = next(feed)
                self._samples, self._at_hand = len(x), self._of(x, y)
            self._weights = tuple(self._array(w) for w in start)
            self._buffer = self._array(np.zeros(iterations))
            jax.block_until_ready((self._at_hand, self._test, self._weights))
        self._run: _Run | None = None

    def _precision(self) -> AbstractContextManager:
        return of_run(self._dtype)

    def _array(self, value: Any) -> Array:
        found: Array = self._place.put(self._place.cast(value))
        return found

    def _training(self, x: Any, y: np.ndarray, rows: np.ndarray | None, *, fed: bool) -> tuple[Any, Array | None]:
        """What iterations learn from, and the rows of each; of batches that are fed what they are evaluated on."""
        mesh, put = self._place.mesh, self._place.put
        if mesh is None or fed:
            return self._place.on_first(self._make(x, y)), None if rows is None else put(np.asarray(rows, np.int32))
        if rows is None:
            return Spread.of(self._make, x, y, mesh), None
        layout = Layout.of(rows.shape[1], mesh.size)
        return SpreadBatches.of(self._make(x, y), layout, mesh), put(np.asarray(rows[:, layout.rows], np.int32))

    def _of(self, x: np.ndarray, y: np.ndarray) -> Any:
        """The objective of a batch."""
        if self._place.mesh is not None:
            return Spread.of(self._make, x, y, self._place.mesh)
        whole: Any = self._objective
        own = map(self._place.put, map(self._place.samples, (x, y)))
        return whole.of(x, y) if isinstance(whole, Streamed) else replace(whole, **dict(zip("xy", own, strict=True)))

    def _plain_weights(self, run: _Run) -> Any:
        """Plain weights of a run, where they are evaluated."""
        moved = run.point.weights
        found = moved if self._through is None else plain(moved, through=self._through)
        return found if self._place.mesh is None else self._place.on_first(found)

    def compile(self) -> None:
        """Trace and compile every program of the run, by asking for no iterations."""
        with self._precision():
            mean_loss(self._test, self._plain_weights(self._advance_to(0)))
        if not self._by_hand:
            for part in Part:
                next(self.outputs(part))

    def _advance_to(self, stop: int) -> _Run:
        if self._run is None:
            self._run = _begin(self._at_hand, self._weights, self._hyper, self._buffer, self._rows, **self._options)
        inputs = jnp.int32(stop), self._hyper, self._rows
        self._run = _advance(self._at_hand, self._run, *inputs, **self._options, fed=self._feed is not None)
        return jax.block_until_ready(self._run)

    def _advance_fed(self, feed: Iterator[tuple[np.ndarray, np.ndarray]], start: int, stop: int) -> int:
        """One program an iteration; how many were done in the end."""
        for iteration in range(start, stop):
            if iteration > 0 and (batch := next(feed, None)):
                self._at_hand = self._of(*batch)
            if int(self._advance_to(iteration + 1).iteration) == iteration:  # the run has ended
                return iteration
        return stop

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        with self._precision():
            before = int(self._run.iteration) if self._run is not None else 0
            if self._feed is not None:
                return self._advance_fed(self._feed, before, before + steps) - before
            return int(self._advance_to(before + steps).iteration) - before

    def test_loss(self) -> float:
        """Loss on the test set at the present weights."""
        with self._precision():
            return mean_loss(self._test, self._plain_weights(self._advance_to(0)))

    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """What the network gives for the training or the test set at the present weights, some samples at a time."""
        objective = {Part.TRAIN: self._objective, Part.TEST: self._test}[part]
        with self._precision():
            weights = self._plain_weights(self._advance_to(0))
        for piece, count in on_one(objective, self._sizes[part], self._place.first):
            with self._precision():
                found = np.asarray(outputs_of(piece, weights))
            yield found[:count]

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further iterations."""
        if LEARNING_RATE not in self._hyper:  # a program for every rate
            static = dict(self._options["static"])
            self._options["static"] = tuple((static | {LEARNING_RATE: static[LEARNING_RATE] * factor}).items())
            return
        with self._precision():
            self._hyper[LEARNING_RATE] = self._hyper[LEARNING_RATE] * factor

    def trajectory(self) -> Trajectory:
        """Everything so far."""
        with self._precision():
            run = self._advance_to(0)
            done = int(run.iteration)
            losses = np.asarray(run.losses, dtype=np.float64)[: done + 1]
            step_sizes = np.asarray(run.step_sizes, dtype=np.float64)[:done]
            weights, variables = (
                tuple(np.asarray(w, dtype=np.float64) for w in found)
                for found in (self._plain_weights(run), () if self._through is None else run.point.weights)
            )
            sweeps = np.asarray(run.evaluations, dtype=np.int64)[: done + 1]
            evaluations = np.rint(sweeps * self._samples / self._sizes[Part.TRAIN]).astype(np.int64)
            halvings = int(run.halvings)
        stalled = done > 0 and step_sizes[-1] == 0.0
        status, reason = ending(losses[-1], done, stalled=stalled)
        return Trajectory(
            loss=losses,
            step_size=step_sizes,
            weights=weights,
            loss_evaluations=evaluations,
            gradient_evaluations=evaluations,
            halvings=halvings,
            status=status,
            reason=reason,
            variables=variables,
        )
