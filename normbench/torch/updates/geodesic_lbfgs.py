"""Geodesic L-BFGS in torch: quasi-Newton directions along curves that keep every bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.torch.updates.balls import Curve, Product
from normbench.torch.updates.quasi_newton import Metric, Pair, PairRows, flat, parted, two_loop, with_pair
from normbench.torch.updates.through import Through

Lifted = tuple[list[Tensor], list[Tensor]]  # lifts, and the tangent gradient there

FIRST_ANGLE, ANGLE = math.pi / 6, math.pi / 3  # trust regions: of the Taylor step, and of the others
SUFFICIENT = 1e-4  # share of the decrease that the slope promises
DESCENT = 1e-8  # of -<G, D> / (||G|| ||D||); with less the memory is given up
SHORTEST, LONGEST = 0.1, 0.5  # by what a step is cut


@dataclass(frozen=True, eq=False)
class State:
    """Lifts of the variables, those of the last iterate with its tangent gradient, pairs and metric.

    ``memory`` is what products with the pairs work in; it says nothing of the run.
    """

    manifold: Product
    Q: list[Tensor]
    before: Lifted | None = None
    pairs: tuple[Pair, ...] = ()
    metric: Metric = field(default_factory=Metric)
    memory: PairRows = field(default_factory=PairRows)


class Trial(NamedTuple):
    """The last point that a search evaluated, its lifts, its step, how many there were, and whether it was taken."""

    point: Any
    Q: list[Tensor]
    t: float
    evaluations: int
    accepted: bool


def geodesic_lbfgs(*, history: int, decay: float, damping: float, max_trials: int) -> Method:
    """L-BFGS on a product of balls or spheres: a full step, or method 1's without memory, cut until the loss falls.

    The step size is the largest angle by which a column turned, in radians: 0 where no step lowers the loss, NaN where
    the gradient at the start is not finite.
    """

    def init(objective: Through, variables: Sequence[Tensor]) -> State:
        manifold = Product.of(objective.geometry, variables)
        return State(manifold, manifold.lift(list(variables)))

    def step(objective: Through, point: Any, state: State) -> Step:
        slope = objective.slope(point)
        G = state.manifold.gradient(state.Q, slope.gradient)
        entries = flat(G)
        square = float(entries @ entries)  # one pass instead of several, unless it leaves the range of the dtype
        if not math.isfinite(square) and not entries.isfinite().all():
            lost = objective.point([torch.full_like(P, math.nan) for P in point.weights])
            return Step(lost, state, math.nan)  # shown by the variables: nothing is cut
        state = remembered(state, G, history=history, decay=decay, damping=damping)
        tried = 0
        for _ in range(2 if square or entries.any() else 0):
            D, pairs, along = direction(state, G, entries)
            state = replace(state, pairs=pairs)
            curve = state.manifold.curve(state.Q, D, state.metric.fresh)
            turn = curve.size
            if not turn:  # squares of tiny gradients underflow: nothing is left to go along
                state = replace(state, pairs=())
                continue
            t = full_step(turn) if pairs else taylor_step(objective, point, slope, state, D, turn)
            found = search(objective, state.manifold, curve, point, along, t, max_trials)
            tried += found.evaluations
            if found.accepted:
                moved = replace(state, Q=found.Q, before=(state.Q, G))
                return Step(found.point, moved, math.atan(found.t * turn), tried, tried - 1)
            if not pairs:
                break
            state = replace(state, pairs=())
        return Step(point, state, 0.0, tried, max(tried - 1, 0))

    return Method(init, step)


def remembered(state: State, G: list[Tensor], *, history: int, decay: float, damping: float) -> State:
    """The state with the pair of the last step, projected onto the present tangent space, and with this gradient."""
    pairs = state.pairs
    if state.before is not None:
        pairs = with_pair(pairs, *change(state.manifold, (state.Q, G), state.before), history=history)
    return replace(state, pairs=pairs, before=None, metric=state.metric.seen(G, decay=decay, damping=damping))


def change(manifold: Product, there: Lifted, here: Lifted) -> tuple[Tensor, Tensor]:
    """Step s, as :meth:`Product.chord` has it, and gradient difference y, tangent, from ``here`` to ``there``."""
    s, y = ([a - b for a, b in zip(new, old, strict=True)] for new, old in zip(there, here, strict=True))
    return flat(manifold.chord(there[0], s)), flat(manifold.project(there[0], y))


def direction(state: State, G: list[Tensor], gradient: Tensor) -> tuple[list[Tensor], tuple[Pair, ...], float]:
    """Tangent D of descent, the pairs that made it and <G, D>; ``gradient`` has the entries of G.

    There are no pairs where theirs does not descend and the metric's is taken.
    """

    def metric(vector: Tensor) -> Tensor:
        return flat(state.metric(parted(vector, G)))

    for pairs in (state.pairs, ()):
        D = state.manifold.project(state.Q, parted(two_loop(gradient, pairs, metric, state.memory).neg_(), G))
        tangent = flat(D)
        slope, sizes, steps = torch.stack([gradient @ tangent, gradient @ gradient, tangent @ tangent]).tolist()
        if not pairs or slope <= -DESCENT * math.sqrt(sizes) * math.sqrt(steps):
            break
    return D, pairs, slope


def full_step(turn: float) -> float:
    """1, or what turns a column by the trust angle; ``turn`` is the size of the direction."""
    return min(1.0, math.tan(ANGLE) / turn)


def taylor_step(objective: Through, point: Any, slope: Any, state: State, D: list[Tensor], turn: float) -> float:
    """Method 1's step: to the minimum of the Taylor polynomial of order 2, at most to its trust angle."""
    limit = math.tan(FIRST_ANGLE) / turn
    first, second = objective.series_derivatives(point, slope, state.manifold.series(state.Q, D))
    return min(-first / second, limit) if first < 0 < second else limit


def search(
    objective: Through,
    manifold: Product,
    curve: Curve,
    start: Any,
    slope: float,
    t: float,
    max_trials: int,
) -> Trial:
    """Cut t to the minimum of the parabola through loss, slope and trial until the loss falls by enough."""
    limit = float(start.loss)
    for tried in range(1, max_trials + 1):
        Q = curve.at(t)
        point = objective.point(manifold.down(Q))
        loss = float(point.loss)
        if loss <= limit + SUFFICIENT * t * slope:
            return Trial(point, Q, t, tried, True)
        t = shorter(t, slope, loss - limit)
    return Trial(point, Q, t, max_trials, False)


def shorter(t: float, slope: float, rise: float) -> float:
    """The minimum of the parabola of this slope at 0 that has risen by ``rise`` at t, within limits.

    A rise that is not finite cuts by the most.
    """
    bend = rise - slope * t
    lowest = -slope * t**2 / (2 * bend) if math.isfinite(bend) and bend > 0 else 0.0
    return min(max(lowest, SHORTEST * t), LONGEST * t)
