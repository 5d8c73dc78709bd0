"""Online geodesic L-BFGS in JAX: quasi-Newton steps from mini-batches, and the average of the iterates."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.updates.balls import Product
from normbench.jax.updates.geodesic_lbfgs import change
from normbench.jax.updates.quasi_newton import Arrays, Memory, Metric, flat, parted, two_loop
from normbench.jax.updates.through import Through

ANGLE, FIRST_ANGLE = math.pi / 12, 0.05  # trust region, and what a step without pairs turns by
SETTLING = 400  # the step that is 1 / sqrt(2) of what it would be at the start


class OnlineState(NamedTuple):
    """Lifts of the variables where gradients are taken, averaged tangent gradients, pairs and metric.

    The metric's count is that of the steps.
    """

    Q: Arrays
    m: Arrays
    memory: Memory
    metric: Metric


class Turn(NamedTuple):
    """A step that was taken: tangent gradient at its start, averages with it, lifts at its end, and the angle."""

    G: Arrays
    m: Arrays
    metric: Metric
    Q: Arrays
    angle: Array


def online_lbfgs(*, history: int, interval: int, momentum: Array, decay: Array, damping: Array, power: int) -> Method:
    """L-BFGS on a product of balls from mini-batches; the point is at the weighted average of the iterates.

    The step size is the largest angle by which a column turned, in radians: NaN where the gradient is not finite.
    """

    def init(objective: Through, variables: Arrays) -> OnlineState:
        return begun(Product.of(objective.geometry, variables), tuple(variables), history=history)

    def step(objective: Through, point: Any, state: OnlineState) -> Step:
        manifold = Product.of(objective.geometry, point.weights)

        def gradient(variables: Arrays) -> Arrays:
            return tuple(objective.point(variables).gradient)

        here = gradient(manifold.down(state.Q))
        turn = turned(manifold, state, here, momentum=momentum, decay=decay, damping=damping)
        variables = manifold.down(turn.Q)
        new, due = remembered(manifold, state, turn, lambda: gradient(variables), interval)
        mixed = averaged(tuple(point.weights), variables, new.metric.count, power)
        # where nothing turned the rounding of the lifts would enter
        average = tuple(jnp.where(turn.angle == 0, A, a) for A, a in zip(point.weights, mixed, strict=True))
        nothing = tuple(jnp.zeros_like(g) for g in point.gradient)  # nobody asks for it there: no pass is made
        there = point._replace(weights=average, loss=objective.loss(average), gradient=nothing)
        return Step(there, new, turn.angle, evaluations=2 + due)

    return Method(init, step)


def begun(manifold: Product, variables: Arrays, *, history: int) -> OnlineState:
    """The state before the first step."""
    Q = manifold.lift(variables)
    return OnlineState(Q, tuple(jnp.zeros_like(q) for q in Q), Memory.empty(history, flat(Q)), Metric.empty(Q))


def turned(
    manifold: Product, state: OnlineState, here: Arrays, *, momentum: Array, decay: Array, damping: Array
) -> Turn:
    """A step on a batch whose gradient at the variables is ``here``; all NaN where that is not finite."""
    Q = state.Q
    G = manifold.gradient(Q, here)
    old = jnp.where(state.metric.count > 0, momentum, 0)
    m = manifold.project(Q, tuple(old * a + (1 - old) * g for a, g in zip(state.m, G, strict=True)))
    metric = state.metric.seen(G, decay=decay, damping=damping)
    along = -two_loop(flat(m), state.memory, lambda vector: flat(metric(parted(vector, G))))
    curve = manifold.curve(Q, manifold.project(Q, parted(along, G)), metric.fresh)
    finite = jnp.isfinite(flat(G)).all()
    settled = jnp.sqrt(SETTLING / (state.metric.count.astype(curve.size.dtype) + SETTLING))
    t = jnp.where(finite, length(curve.size, known=state.memory.count > 0) * settled, jnp.nan)
    there = tuple(jnp.where(finite, q, jnp.nan) for q in curve.at(t))  # what rests shows it, too
    return Turn(G, m, metric, there, jnp.arctan(t * curve.size))


def remembered(
    manifold: Product, state: OnlineState, turn: Turn, after: Callable[[], Arrays], interval: Array | int
) -> tuple[OnlineState, Array]:
    """The state behind a step, and whether it made a pair: then ``after`` is the gradient of the batch at its end."""
    due = state.metric.count % interval == 0
    nothing = manifold.down(tuple(jnp.zeros_like(q) for q in turn.Q))
    behind = manifold.gradient(turn.Q, jax.lax.cond(due, after, lambda: nothing))
    memory = state.memory.with_pair(*change(manifold, (turn.Q, behind), (state.Q, turn.G)), due)
    return OnlineState(turn.Q, turn.m, memory, turn.metric), due


def averaged(average: Arrays, variables: Arrays, steps: Array, power: Array | int) -> Arrays:
    """The average with the variables behind so many steps, of weights about steps^power."""
    rho = (power + 1) / (steps + power).astype(variables[0].dtype)
    return tuple(A + rho * (p - A) for A, p in zip(average, variables, strict=True))


def length(turn: Array, *, known: Array) -> Array:
    """1, or what turns a column by the trust angle; without pairs what turns it by the first angle."""
    rests = turn == 0
    divisor = jnp.where(rests, 1, turn)
    found = jnp.where(known, jnp.minimum(1, math.tan(ANGLE) / divisor), math.tan(FIRST_ANGLE) / divisor)
    return jnp.where(rests, 0, found)
