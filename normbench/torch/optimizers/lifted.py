"""A closure as the objective of a quasi-Newton update: matrices of radius 1 by their lifts, and what a state keeps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from normbench.torch.norms import host_norms, power_of_two, wide
from normbench.torch.optimizers.balls import as_matrix, within
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.updates.balls import Ball, Product, Sphere
from normbench.torch.updates.quasi_newton import Metric, Pair

LARGEST_SCALE = 2.0**120  # what float32 holds


@dataclass(frozen=True)
class Lifts:
    """The parameters as variables of the update, and what was remembered of them.

    Attributes
    ----------
    layers : list of Tensor
    radii : list of float
    state : state of the update
        In float32 at least.
    scale : float or None
        The power of two by which the loss is multiplied, so that gradients have a size whose squares float32 holds;
        None before there was a gradient.
    """

    layers: list[Tensor]
    radii: list[float]
    state: Any
    scale: float | None

    @classmethod
    def of(
        cls,
        layers: list[Tensor],
        kept: dict[Tensor, Any],
        spheres: Sequence[bool],
        make: Callable[..., Any],
        more: Callable[[list[dict[str, Any]]], dict[str, Any] | None],
    ) -> "Lifts":
        """From the state of an optimiser, or anew where a parameter is not what its last step left.

        Parameters
        ----------
        layers : list of Tensor
        kept : dict
            The state of the optimiser.
        spheres : sequence of bool
            Which of them lie on spheres; the others lie in balls.
        make : callable
            (manifold, lifts, pairs=..., metric=..., ...) -> state of the update; without the latter a new one.
        more : callable
            What else that takes, of what is kept of every parameter; None where that is of another class.
        """
        kind = wide(layers)
        parts = tuple((Sphere if s else Ball)(as_matrix(p).shape) for p, s in zip(layers, spheres, strict=True))
        manifold, radii = Product(parts), [kept[p]["radius"] for p in layers]
        own = [kept[p] for p in layers]
        known = all(
            is_known(p, of_layer) and of_layer["lift"].dtype == kind for p, of_layer in zip(layers, own, strict=True)
        )
        if known and (rest := more(own)) is not None:
            state = make(manifold, [of_layer["lift"] for of_layer in own], **_remembered(own), **rest)
            return cls(layers, radii, state, own[0]["scale"])
        Q = [_lift(part, as_matrix(p).to(kind) / r) for part, p, r in zip(parts, layers, radii, strict=True)]
        return cls(layers, radii, make(manifold, Q), None)


def is_known(p: Tensor, own: dict[str, Any]) -> bool:
    """Whether a parameter is what the last step left, to the bit."""
    seen = own.get("seen")
    if seen is None or "lift" not in own or (seen.dtype, seen.device) != (p.dtype, p.device):
        return False
    return torch.equal(seen, p)


def _lift(part: Ball | Sphere, P: Tensor) -> Tensor:
    """NaN in all of it where the parameter has a NaN: there is no decomposition."""
    return part.lift(P) if bool(P.isfinite().all()) else torch.full_like(part.lift(torch.zeros_like(P)), math.nan)


def _remembered(own: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pairs and metric."""
    averages, roots = (tuple(tuple(of_layer[name]) for of_layer in own) for name in ("averages", "roots"))
    pairs = tuple(Pair(*pair) for pair in own[0]["pairs"])
    return {"pairs": pairs, "metric": Metric(averages, roots, own[0]["count"])}


class Lifted:
    """What an update asks of an objective, asked of a closure.

    Parameters
    ----------
    curve : ClosureCurve
    start : point of it, with its gradient
    lifts : Lifts

    Attributes
    ----------
    variables : list of Tensor
        At the present parameters.
    """

    def __init__(self, curve: ClosureCurve, start: Any, lifts: Lifts) -> None:
        self._curve, self._lifts, self._origin = curve, lifts, start
        found = curve.slope(start).gradient
        size = max(n * r for n, r in zip(host_norms(found), lifts.radii, strict=True))
        self._known = lifts.scale
        if lifts.scale is None and 0.0 < size < math.inf:
            self._known = min(1.0 / power_of_two(size), LARGEST_SCALE)
        self._scale = self._known or 1.0
        self._gradient = self._scaled(found)
        self.variables = lifts.state.manifold.down(lifts.state.Q)

    def _scaled(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """Gradient of the scaled loss with respect to the variables, from that of the parameters."""
        kind = self._lifts.state.Q[0].dtype
        return [as_matrix(g).to(kind) * self._scale * r for g, r in zip(gradient, self._lifts.radii, strict=True)]

    def _rounded(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """The parameters of these variables, rounded to within their balls; what rests keeps its bits."""
        return [
            before if torch.equal(P, old) else within(P, p, radius)
            for P, old, before, p, radius in zip(
                variables, self.variables, self._origin.weights, self._lifts.layers, self._lifts.radii, strict=True
            )
        ]

    def keep(
        self, state: Any, layers: list[Tensor], step_size: float, kept: dict[Tensor, Any]
    ) -> tuple[list[Tensor], float]:
        """Write the state after a step, which ends at ``layers``, into that of an optimiser; both of the last step.

        A loss that is not finite at the start makes the parameters NaN, as a gradient does; the state stays then.
        """
        if not math.isfinite(float(self._origin.loss)) or math.isnan(step_size):
            return [torch.full_like(p, math.nan) for p in self._lifts.layers], math.nan
        for k, p in enumerate(self._lifts.layers):
            own = kept[p]
            own |= {"seen": layers[k].clone(), "lift": state.Q[k]}
            own |= {"averages": state.metric.averages[k], "roots": state.metric.roots[k]}
            self._write(own, state, k)
        first = kept[self._lifts.layers[0]]
        first |= {"pairs": [tuple(pair) for pair in state.pairs], "count": state.metric.count, "scale": self._known}
        return layers, step_size

    def _write(self, own: dict[str, Any], state: Any, k: int) -> None:
        """Keep of the k-th parameter what the state of this update has beside lifts, pairs and metric."""
        raise NotImplementedError
