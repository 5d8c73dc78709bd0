"""Online geodesic L-BFGS in torch: quasi-Newton steps from mini-batches, and the average of the iterates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.torch.updates.balls import Product
from normbench.torch.updates.geodesic_lbfgs import change
from normbench.torch.updates.quasi_newton import Metric, Pair, PairRows, flat, parted, two_loop, with_pair
from normbench.torch.updates.through import Through

ANGLE, FIRST_ANGLE = math.pi / 12, 0.05  # trust region, and what a step without pairs turns by
SETTLING = 400  # the step that is 1 / sqrt(2) of what it would be at the start


@dataclass(frozen=True, eq=False)
class OnlineState:
    """Lifts of the variables where gradients are taken, averaged tangent gradients, pairs and metric.

    The metric's count is that of the steps. ``memory`` is what products with the pairs work in; it says nothing of the
    run.
    """

    manifold: Product
    Q: list[Tensor]
    m: list[Tensor] = field(default_factory=list)
    pairs: tuple[Pair, ...] = ()
    metric: Metric = field(default_factory=Metric)
    memory: PairRows = field(default_factory=PairRows)


def online_lbfgs(*, history: int, interval: int, momentum: float, decay: float, damping: float, power: int) -> Method:
    """L-BFGS on a product of balls from mini-batches; the point is at the weighted average of the iterates.

    The step size is the largest angle by which a column turned, in radians: NaN where the gradient is not finite.
    """

    def init(objective: Through, variables: Sequence[Tensor]) -> OnlineState:
        manifold = Product.of(objective.geometry, variables)
        return OnlineState(manifold, manifold.lift(list(variables)))

    def step(objective: Through, point: Any, state: OnlineState) -> Step:
        def gradient(Q: list[Tensor]) -> list[Tensor]:
            there = objective.point(state.manifold.down(Q))
            return state.manifold.gradient(Q, objective.slope(there).gradient)

        new, angle = advanced(
            gradient,
            state,
            history=history,
            interval=interval,
            momentum=momentum,
            decay=decay,
            damping=damping,
        )
        if math.isnan(angle):
            lost = objective.point([torch.full_like(P, math.nan) for P in point.weights])
            return Step(lost, state, angle, evaluations=2)
        # where nothing turned the rounding of the lifts would enter
        average = averaged(point.weights, new, power=power) if angle else point.weights
        return Step(objective.point(average), new, angle, evaluations=2 + is_due(state, interval))

    return Method(init, step)


def advanced(
    gradient: Callable[[list[Tensor]], list[Tensor]],
    state: OnlineState,
    *,
    history: int,
    interval: int,
    momentum: float,
    decay: float,
    damping: float,
) -> tuple[OnlineState, float]:
    """The state a step further, and the largest angle by which a column turned.

    Where the gradient is not finite, the state as it was and NaN. ``gradient`` gives that of the present batch, in the
    tangent space, at lifts: at those of the state, and where a pair is due at the next.
    """
    G = gradient(state.Q)
    if not flat(G).isfinite().all():
        return state, math.nan
    due, state = is_due(state, interval), seen(state, G, momentum=momentum, decay=decay, damping=damping)
    there, angle = moved(state)
    pairs = state.pairs
    if due:
        pairs = with_pair(pairs, *change(state.manifold, (there, gradient(there)), (state.Q, G)), history=history)
    return replace(state, Q=there, pairs=pairs), angle


def is_due(state: OnlineState, interval: int) -> bool:
    """Whether the next step makes a pair."""
    return state.metric.count % interval == 0


def averaged(average: Sequence[Tensor], state: OnlineState, *, power: int) -> list[Tensor]:
    """The average of all iterates, with the present one in it."""
    rho = (power + 1) / (state.metric.count + power)
    return [A + rho * (P - A) for A, P in zip(average, state.manifold.down(state.Q), strict=True)]


def seen(state: OnlineState, G: list[Tensor], *, momentum: float, decay: float, damping: float) -> OnlineState:
    """The state with this gradient in its averages; the first is all of them."""
    m = G
    if state.metric.count:
        mixed = [momentum * a + (1 - momentum) * g for a, g in zip(state.m, G, strict=True)]
        m = state.manifold.project(state.Q, mixed)
    return replace(state, m=m, metric=state.metric.seen(G, decay=decay, damping=damping))


def moved(state: OnlineState) -> tuple[list[Tensor], float]:
    """Lifts a step further, and the largest angle by which a column turned."""

    def metric(vector: Tensor) -> Tensor:
        return flat(state.metric(parted(vector, state.m)))

    along = two_loop(flat(state.m), state.pairs, metric, state.memory).neg_()
    D = state.manifold.project(state.Q, parted(along, state.m))
    curve = state.manifold.curve(state.Q, D, state.metric.fresh)
    if not curve.size:
        return state.Q, 0.0
    t = length(curve.size, known=bool(state.pairs)) * math.sqrt(SETTLING / (state.metric.count - 1 + SETTLING))
    return curve.at(t), math.atan(t * curve.size)


def length(turn: float, *, known: bool) -> float:
    """1, or what turns a column by the trust angle; without pairs what turns it by the first angle."""
    return min(1.0, math.tan(ANGLE) / turn) if known else math.tan(FIRST_ANGLE) / turn
