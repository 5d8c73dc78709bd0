"""Geodesic L-BFGS in JAX: quasi-Newton directions along curves that keep every bound; all of it traces."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.products import inner
from normbench.jax.updates.balls import Curve, Product
from normbench.jax.updates.quasi_newton import Arrays, Memory, Metric, flat, parted, two_loop
from normbench.jax.updates.through import Point, Through

FIRST_ANGLE, ANGLE = math.pi / 6, math.pi / 3  # trust regions: of the Taylor step, and of the others
SUFFICIENT = 1e-4  # share of the decrease that the slope promises
DESCENT = 1e-8  # of -<G, D> / (||G|| ||D||); with less the memory is given up
SHORTEST, LONGEST = 0.1, 0.5  # by what a step is cut


class State(NamedTuple):
    """Lifts of the variables, those of the last iterate with its tangent gradient, if it is known, pairs and metric."""

    Q: Arrays
    before: tuple[Arrays, Arrays]
    known: Array
    memory: Memory
    metric: Metric


class Trial(NamedTuple):
    """The last point that a search evaluated, its lifts, its step, how many there were, and whether it was taken."""

    point: Point
    Q: Arrays
    t: Array
    evaluations: Array
    accepted: Array


class _Attempts(NamedTuple):
    """The last search, the angle that it turned by, how many pairs it used, and whether one without them is due."""

    trial: Trial
    angle: Array
    pairs: Array
    again: Array


def geodesic_lbfgs(*, history: int, decay: Array, damping: Array, max_trials: int) -> Method:
    """L-BFGS on a product of balls or spheres: a full step, or method 1's without memory, cut until the loss falls.

    The step size is the largest angle by which a column turned, in radians: 0 where no step lowers the loss, NaN where
    the gradient at the start is not finite.
    """

    def init(objective: Through, variables: Arrays) -> State:
        Q = Product.of(objective.geometry, variables).lift(tuple(variables))
        nothing = tuple(jnp.zeros_like(q) for q in Q)
        return State(Q, (Q, nothing), jnp.asarray(False), Memory.empty(history, flat(Q)), Metric.empty(Q))

    def step(objective: Through, point: Any, state: State) -> Step:
        manifold = Product.of(objective.geometry, point.weights)
        G = manifold.gradient(state.Q, tuple(point.gradient))
        state = remembered(manifold, state, G, decay=decay, damping=damping)
        nowhere = Trial(
            Point(*point), state.Q, jnp.zeros_like(point.loss), jnp.zeros((), jnp.int32), jnp.asarray(False)
        )

        def attempt(before: _Attempts) -> _Attempts:
            D, pairs = direction(manifold, state, G, state.memory._replace(count=before.pairs))
            curve = manifold.curve(state.Q, D, state.metric.fresh)
            t = jax.lax.cond(
                pairs > 0,
                lambda: jnp.minimum(1, math.tan(ANGLE) / curve.size),
                lambda: taylor_step(objective, manifold, state.Q, D, curve.size),
            )
            found = search(objective, manifold, curve, nowhere._replace(t=t), inner(flat(G), flat(D)), max_trials)
            found = found._replace(evaluations=found.evaluations + before.trial.evaluations)
            left = jnp.where(found.accepted, pairs, 0)
            return _Attempts(found, jnp.arctan(found.t * curve.size), left, ~found.accepted & (pairs > 0))

        entries = flat(G)
        finite = jnp.isfinite(entries).all()
        begin = _Attempts(nowhere, jnp.zeros_like(point.loss), state.memory.count, finite & (entries != 0).any())
        end = jax.lax.while_loop(lambda now: now.again, attempt, begin)
        taken = end.trial.accepted
        new, Q = jax.tree.map(
            lambda there, here: jnp.where(taken, there, jnp.where(finite, here, jnp.nan)),
            (end.trial.point, end.trial.Q),
            (Point(*point), state.Q),
        )
        moved = State(Q, (state.Q, G), taken, state.memory._replace(count=end.pairs), state.metric)
        angle = jnp.where(taken, end.angle, jnp.where(finite, 0, jnp.nan))
        return Step(new, moved, angle, end.trial.evaluations, jnp.maximum(end.trial.evaluations - 1, 0))

    return Method(init, step)


def remembered(manifold: Product, state: State, G: Arrays, *, decay: Array, damping: Array) -> State:
    """The state with the pair of the last step, projected onto the present tangent space, and with this gradient."""
    memory = state.memory.with_pair(*change(manifold, (state.Q, G), state.before), state.known)
    return state._replace(memory=memory, metric=state.metric.seen(G, decay=decay, damping=damping))


def change(manifold: Product, there: tuple[Arrays, Arrays], here: tuple[Arrays, Arrays]) -> tuple[Array, Array]:
    """Step s, as :meth:`Product.chord` has it, and gradient difference y, tangent, from ``here`` to ``there``."""
    s, y = (tuple(a - b for a, b in zip(new, old, strict=True)) for new, old in zip(there, here, strict=True))
    return flat(manifold.chord(there[0], s)), flat(manifold.project(there[0], y))


def direction(manifold: Product, state: State, G: Arrays, memory: Memory) -> tuple[Arrays, Array]:
    """Tangent of descent and how many pairs made it: none where theirs does not descend and the metric's is taken."""
    gradient = flat(G)

    def tangent(vector: Array) -> Array:
        return -flat(manifold.project(state.Q, parted(vector, G)))

    def metric(vector: Array) -> Array:
        return flat(state.metric(parted(vector, G)))

    D = tangent(two_loop(gradient, memory, metric))
    sizes = jnp.sqrt(inner(gradient, gradient)) * jnp.sqrt(inner(D, D))
    descends = (memory.count > 0) & (inner(gradient, D) <= -DESCENT * sizes)
    D = jax.lax.cond(descends, lambda: D, lambda: tangent(metric(gradient)))
    return parted(D, G), jnp.where(descends, memory.count, 0)


def taylor_step(objective: Through, manifold: Product, Q: Arrays, D: Arrays, turn: Array) -> Array:
    """Method 1's step: to the minimum of the Taylor polynomial of order 2, at most to its trust angle."""
    limit = math.tan(FIRST_ANGLE) / turn
    first, second = objective.series_derivatives(manifold.series(Q, D))
    bends = (first < 0) & (second > 0)
    return jnp.where(bends, jnp.minimum(-first / jnp.where(bends, second, 1), limit), limit)


def search(
    objective: Through,
    manifold: Product,
    curve: Curve,
    start: Trial,
    slope: Array,
    max_trials: int,
) -> Trial:
    """Cut t to the minimum of the parabola through loss, slope and trial until the loss falls by enough."""
    limit = start.point.loss

    def attempt(last: Trial) -> Trial:
        cut = shorter(last.t, slope, last.point.loss - limit)
        step = jnp.where(last.evaluations > 0, cut, last.t)
        lifted = curve.at(step)
        point = objective.point(manifold.down(lifted))
        accepted = point.loss <= limit + SUFFICIENT * step * slope
        return Trial(point, lifted, step, last.evaluations + 1, accepted)

    return jax.lax.while_loop(lambda last: ~last.accepted & (last.evaluations < max_trials), attempt, start)


def shorter(t: Array, slope: Array, rise: Array) -> Array:
    """The minimum of the parabola of this slope at 0 that has risen by ``rise`` at t, within limits.

    A rise that is not finite cuts by the most.
    """
    bend = rise - slope * t
    bends = jnp.isfinite(bend) & (bend > 0)
    lowest = jnp.where(bends, -slope * t**2 / (2 * jnp.where(bends, bend, 1)), 0)
    return jnp.minimum(jnp.maximum(lowest, SHORTEST * t), LONGEST * t)
