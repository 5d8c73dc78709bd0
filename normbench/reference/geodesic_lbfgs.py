"""Geodesic L-BFGS: quasi-Newton directions along curves that keep every bound, with method 1's step to begin with."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from normbench.backends.method import Method, Step
from normbench.problems.problem import Weights
from normbench.reference.balls import Product
from normbench.reference.network import Point
from normbench.reference.quasi_newton import Metric, Pair, Vectors, inner, norm, two_loop, with_pair
from normbench.reference.through import Through

FIRST_ANGLE, ANGLE = math.pi / 6, math.pi / 3  # trust regions: of the Taylor step, and of the others
SUFFICIENT = 1e-4  # share of the decrease that the slope promises
DESCENT = 1e-8  # of -<G, D> / (||G|| ||D||); with less the memory is given up
SHORTEST, LONGEST = 0.1, 0.5  # by what a step is cut


@dataclass(frozen=True, eq=False)
class State:
    """Where the variables are on their manifolds, and what is known of the loss around there.

    Attributes
    ----------
    manifold : Product
    Q : tuple of arrays
        Lifts of the variables.
    before : pair of tuples of arrays, or None
        Lifts and tangent gradient of the last iterate.
    pairs : tuple of Pair
    metric : Metric
    """

    manifold: Product
    Q: Vectors
    before: tuple[Vectors, Vectors] | None = None
    pairs: tuple[Pair, ...] = ()
    metric: Metric = field(default_factory=Metric)


class Trial(NamedTuple):
    """The last point that a search evaluated, its lifts, its step, how many there were, and whether it was taken."""

    point: Point
    Q: Vectors
    t: float
    evaluations: int
    accepted: bool


def geodesic_lbfgs(*, history: int, decay: float, damping: float, max_trials: int) -> Method:
    """L-BFGS on a product of balls or spheres: a full step, or method 1's without memory, cut until the loss falls.

    The step size is the largest angle by which a column turned, in radians: 0 where no step lowers the loss, NaN where
    the gradient at the start is not finite.
    """

    def init(objective: Through, variables: Weights) -> State:
        manifold = Product.of(objective.geometry, variables)
        return State(manifold, manifold.lift(variables))

    def step(objective: Through, point: Point, state: State) -> Step:
        G = state.manifold.gradient(state.Q, objective.gradient(point.weights))
        if not all(np.isfinite(g).all() for g in G):
            lost = objective.point(tuple(np.full_like(P, math.nan) for P in point.weights))
            return Step(lost, state, math.nan)  # shown by the variables: nothing is cut
        state = remembered(state, G, history=history, decay=decay, damping=damping)
        tried = 0
        for _ in range(2 if any(g.any() for g in G) else 0):
            D, pairs = direction(state, G)
            state = replace(state, pairs=pairs)
            turn = state.manifold.size(D)
            if not turn:  # squares of tiny gradients underflow: nothing is left to go along
                state = replace(state, pairs=())
                continue
            t = full_step(turn) if pairs else taylor_step(objective, state, D, turn)
            found = search(
                objective, state.manifold, state.manifold.curve(state.Q, D), point, inner(G, D), t, max_trials
            )
            tried += found.evaluations
            if found.accepted:
                moved = replace(state, Q=found.Q, before=(state.Q, G))
                return Step(found.point, moved, math.atan(found.t * turn), tried, tried - 1)
            if not pairs:
                break
            state = replace(state, pairs=())
        return Step(point, state, 0.0, tried, max(tried - 1, 0))

    return Method(init, step)


def remembered(state: State, G: Vectors, *, history: int, decay: float, damping: float) -> State:
    """The state with the pair of the last step, projected onto the present tangent space, and with this gradient."""
    pairs = state.pairs
    if state.before is not None:
        pairs = with_pair(pairs, *change(state.manifold, (state.Q, G), state.before), history=history)
    return replace(state, pairs=pairs, before=None, metric=state.metric.seen(G, decay=decay, damping=damping))


def change(manifold: Product, there: tuple[Vectors, Vectors], here: tuple[Vectors, Vectors]) -> Pair:
    """Step s, as :meth:`Product.chord` has it, and gradient difference y, tangent, from ``here`` to ``there``."""
    s, y = (tuple(a - b for a, b in zip(new, old, strict=True)) for new, old in zip(there, here, strict=True))
    return Pair(manifold.chord(there[0], s), manifold.project(there[0], y))


def direction(state: State, G: Vectors) -> tuple[Vectors, tuple[Pair, ...]]:
    """Tangent of descent, and the pairs that made it: none where theirs does not descend and the metric's is taken."""
    for pairs in (state.pairs, ()):
        D = state.manifold.project(state.Q, tuple(-v for v in two_loop(G, pairs, state.metric)))
        if not pairs or inner(G, D) <= -DESCENT * norm(G) * norm(D):
            break
    return D, pairs


def full_step(turn: float) -> float:
    """1, or what turns a column by the trust angle; ``turn`` is the size of the direction."""
    return min(1.0, math.tan(ANGLE) / turn)


def taylor_step(objective: Through, state: State, D: Vectors, turn: float) -> float:
    """Method 1's step: to the minimum of the Taylor polynomial of order 2, at most to its trust angle."""
    limit = math.tan(FIRST_ANGLE) / turn
    first, second = objective.series_derivatives(state.manifold.series(state.Q, D))
    return min(-first / second, limit) if first < 0 < second else limit


def search(
    objective: Through,
    manifold: Product,
    curve: Callable[[float], Vectors],
    start: Point,
    slope: float,
    t: float,
    max_trials: int,
) -> Trial:
    """Cut t to the minimum of the parabola through loss, slope and trial until the loss falls by enough."""
    for tried in range(1, max_trials + 1):
        Q = curve(t)
        point = objective.point(manifold.down(Q))
        if point.loss <= start.loss + SUFFICIENT * t * slope:
            return Trial(point, Q, t, tried, True)
        t = shorter(t, slope, point.loss - start.loss)
    return Trial(point, Q, t, max_trials, False)


def shorter(t: float, slope: float, rise: float) -> float:
    """The minimum of the parabola of this slope at 0 that has risen by ``rise`` at t, within limits.

    A rise that is not finite cuts by the most.
    """
    bend = rise - slope * t
    lowest = -slope * t**2 / (2 * bend) if math.isfinite(bend) and bend > 0 else 0.0
    return min(max(lowest, SHORTEST * t), LONGEST * t)
