"""A closure as the objective of geodesic L-BFGS: matrices of radius 1 by their lifts, and what a state keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Step
from normbench.torch.norms import host_norms, power_of_two, wide
from normbench.torch.optimizers.balls import as_matrix, within
from normbench.torch.optimizers.closure import ClosureCurve, Gradient
from normbench.torch.updates.balls import Ball, Product, Sphere
from normbench.torch.updates.geodesic_lbfgs import State
from normbench.torch.updates.quasi_newton import Metric, Pair, PairRows

LARGEST_SCALE = 2.0**120  # what float32 holds


@dataclass(frozen=True)
class Lifts:
    """The parameters as variables of the update, and what was remembered of them.

    Attributes
    ----------
    layers : list of Tensor
    radii : list of float
    state : State
        In float32 at least.
    scale : float or None
        The power of two by which the loss is multiplied, so that gradients have a size whose squares float32 holds;
        None before there was a gradient.
    """

    layers: list[Tensor]
    radii: list[float]
    state: State
    scale: float | None

    @classmethod
    def of(cls, layers: list[Tensor], kept: dict[Tensor, Any], spheres: Sequence[bool], memory: PairRows) -> "Lifts":
        """From the state of an optimiser, or anew where a parameter is not what its last step left."""
        kind = wide(layers)
        parts = tuple((Sphere if s else Ball)(as_matrix(p).shape) for p, s in zip(layers, spheres, strict=True))
        manifold, radii = Product(parts), [kept[p]["radius"] for p in layers]
        if all(is_known(p, kept[p]) and kept[p]["lift"].dtype == kind for p in layers):
            return cls(layers, radii, _remembered(manifold, layers, kept, memory), kept[layers[0]]["scale"])
        Q = [_lift(part, as_matrix(p).to(kind) / r) for part, p, r in zip(parts, layers, radii, strict=True)]
        return cls(layers, radii, State(manifold, Q, memory=memory), None)


def is_known(p: Tensor, own: dict[str, Any]) -> bool:
    """Whether a parameter is what the last step left, to the bit."""
    seen = own.get("seen")
    if seen is None or "lift" not in own or (seen.dtype, seen.device) != (p.dtype, p.device):
        return False
    return torch.equal(seen, p)


def _lift(part: Ball | Sphere, P: Tensor) -> Tensor:
    """NaN in all of it where the parameter has a NaN: there is no decomposition."""
    return part.lift(P) if bool(P.isfinite().all()) else torch.full_like(part.lift(torch.zeros_like(P)), math.nan)


def _remembered(manifold: Product, layers: Sequence[Tensor], kept: dict[Tensor, Any], memory: PairRows) -> State:
    own = [kept[p] for p in layers]
    before = None
    if all("before" in of_layer for of_layer in own):
        before = [of_layer["before"][0] for of_layer in own], [of_layer["before"][1] for of_layer in own]
    return State(
        manifold,
        [of_layer["lift"] for of_layer in own],
        before,
        tuple(Pair(*pair) for pair in own[0]["pairs"]),
        Metric(
            tuple(tuple(of_layer["averages"]) for of_layer in own),
            tuple(tuple(of_layer["roots"]) for of_layer in own),
            own[0]["count"],
        ),
        memory,
    )


class _Point(NamedTuple):
    """Variables with their scaled loss, and the parameters that stand for them."""

    weights: list[Tensor]
    loss: float
    layers: list[Tensor]


class Lifted:
    """What the update asks of an objective, asked of a closure.

    Parameters
    ----------
    curve : ClosureCurve
    start : point of it, with its gradient
    lifts : Lifts

    Attributes
    ----------
    start : point at the present parameters
    """

    def __init__(self, curve: ClosureCurve, start: Any, lifts: Lifts) -> None:
        self._curve, self._lifts, self._origin = curve, lifts, start
        self._moved = False
        found = curve.slope(start).gradient
        size = max(n * r for n, r in zip(host_norms(found), lifts.radii, strict=True))
        self._known = lifts.scale
        if lifts.scale is None and 0.0 < size < math.inf:
            self._known = min(1.0 / power_of_two(size), LARGEST_SCALE)
        self._scale = self._known or 1.0
        kind = lifts.state.Q[0].dtype
        self._gradient = [as_matrix(g).to(kind) * self._scale * r for g, r in zip(found, lifts.radii, strict=True)]
        variables = lifts.state.manifold.down(lifts.state.Q)
        self.start = _Point(variables, float(start.loss) * self._scale, start.weights)

    def point(self, variables: Sequence[Tensor]) -> _Point:
        """Move the parameters there, rounded to within their balls, and evaluate; what rests keeps its bits."""
        moved = [
            before if torch.equal(P, old) else within(P, p, radius)
            for P, old, before, p, radius in zip(
                variables, self.start.weights, self.start.layers, self._lifts.layers, self._lifts.radii, strict=True
            )
        ]
        found, self._moved = self._curve.point(moved), True
        return _Point(list(variables), float(found.loss) * self._scale, moved)

    def slope(self, point: _Point) -> Gradient:
        """Gradient at the start."""
        return Gradient(self._gradient)

    def series_derivatives(self, point: _Point, slope: Gradient, series: Sequence[Sequence[Tensor]]) -> list[float]:
        """First and second derivative along P + t D + t^2 C: those along the line P + t D, and 2 <G, C>."""
        if self._moved:
            self._curve.back(self._origin)
        velocity = [
            (D * radius).reshape(p.shape)
            for (_, D, _), p, radius in zip(series, self._lifts.layers, self._lifts.radii, strict=True)
        ]
        straight = [False] * len(velocity)
        first, second = self._curve.curve_derivatives(self._origin, slope, velocity, straight, 2)
        bend = sum(float(torch.sum(G * C)) for G, (_, _, C) in zip(slope.gradient, series, strict=True))
        return [first * self._scale, second * self._scale + 2 * bend]

    def keep(self, found: Step, kept: dict[Tensor, Any]) -> tuple[list[Tensor], float]:
        """Write a step into the state of an optimiser; the new parameters and the step size.

        A loss that is not finite at the start makes the parameters NaN, as a gradient does; the state stays then.
        """
        if not math.isfinite(self.start.loss) or math.isnan(found.step_size):
            return [torch.full_like(p, math.nan) for p in self._lifts.layers], math.nan
        state: State = found.state
        for k, p in enumerate(self._lifts.layers):
            own = kept[p]
            own |= {"seen": found.point.layers[k].clone(), "lift": state.Q[k]}
            own |= {"averages": state.metric.averages[k], "roots": state.metric.roots[k]}
            own.pop("before", None)
            if state.before is not None:
                own["before"] = tuple(vectors[k] for vectors in state.before)
        first = kept[self._lifts.layers[0]]
        first |= {"pairs": [tuple(pair) for pair in state.pairs], "count": state.metric.count, "scale": self._known}
        return found.point.layers, found.step_size
