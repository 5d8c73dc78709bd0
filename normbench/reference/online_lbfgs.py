"""Online geodesic L-BFGS: quasi-Newton steps from mini-batches, each pair of one batch, and the average of iterates."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from normbench.backends.method import Method, Step
from normbench.problems.problem import Weights
from normbench.reference.balls import Product
from normbench.reference.geodesic_lbfgs import change
from normbench.reference.network import Point
from normbench.reference.quasi_newton import Metric, Pair, Vectors, two_loop, with_pair
from normbench.reference.through import Through

ANGLE, FIRST_ANGLE = math.pi / 12, 0.05  # trust region, and what a step without pairs turns by
SETTLING = 400  # the step that is 1 / sqrt(2) of what it would be at the start


@dataclass(frozen=True, eq=False)
class OnlineState:
    """Where the variables are on their manifolds, and what is known of the loss of all batches around there.

    Attributes
    ----------
    manifold : Product
    Q : tuple of arrays
        Lifts of the variables where the gradients are taken.
    m : tuple of arrays
        Averaged tangent gradients.
    pairs : tuple of Pair
    metric : Metric
        Its count is that of the steps.
    """

    manifold: Product
    Q: Vectors
    m: Vectors = ()
    pairs: tuple[Pair, ...] = ()
    metric: Metric = field(default_factory=Metric)


def online_lbfgs(*, history: int, interval: int, momentum: float, decay: float, damping: float, power: int) -> Method:
    """L-BFGS on a product of balls from mini-batches; the point is at the weighted average of the iterates.

    The step size is the largest angle by which a column turned, in radians: NaN where the gradient is not finite.
    """

    def init(objective: Through, variables: Weights) -> OnlineState:
        manifold = Product.of(objective.geometry, variables)
        return OnlineState(manifold, manifold.lift(variables))

    def step(objective: Through, point: Point, state: OnlineState) -> Step:
        manifold, Q = state.manifold, state.Q

        def gradient(Q: Vectors) -> Vectors:  # a sweep forwards and one back
            return manifold.gradient(Q, objective.gradient(objective.point(manifold.down(Q)).weights))

        G = gradient(Q)
        if not all(np.isfinite(g).all() for g in G):
            lost = objective.point(tuple(np.full_like(P, math.nan) for P in point.weights))
            return Step(lost, state, math.nan, evaluations=2)
        state = seen(state, G, momentum=momentum, decay=decay, damping=damping)
        D = manifold.project(Q, tuple(-v for v in two_loop(state.m, state.pairs, state.metric)))
        turn = manifold.size(D)
        t = length(turn, known=bool(state.pairs)) * math.sqrt(SETTLING / (state.metric.count - 1 + SETTLING))
        there = manifold.curve(Q, D)(t) if turn else Q
        pairs, due = state.pairs, (state.metric.count - 1) % interval == 0
        if due:
            pairs = with_pair(pairs, *change(manifold, (there, gradient(there)), (Q, G)), history=history)
        rho = (power + 1) / (state.metric.count + power) if turn else 0.0  # else lifts' rounding would enter
        P = manifold.down(there)
        average = tuple(A + rho * (p - A) for A, p in zip(point.weights, P, strict=True))
        moved = replace(state, Q=there, pairs=pairs)
        return Step(objective.point(average), moved, math.atan(t * turn), evaluations=2 + due)

    return Method(init, step)


def seen(state: OnlineState, G: Vectors, *, momentum: float, decay: float, damping: float) -> OnlineState:
    """The state with this gradient in its averages; the first is all of them."""
    m = G
    if state.metric.count:
        mixed = tuple(momentum * a + (1 - momentum) * g for a, g in zip(state.m, G, strict=True))
        m = state.manifold.project(state.Q, mixed)
    return replace(state, m=m, metric=state.metric.seen(G, decay=decay, damping=damping))


def length(turn: float, *, known: bool) -> float:
    """1, or what turns a column by the trust angle; without pairs what turns it by the first angle."""
    if not turn:
        return 0.0
    return min(1.0, math.tan(ANGLE) / turn) if known else math.tan(FIRST_ANGLE) / turn
