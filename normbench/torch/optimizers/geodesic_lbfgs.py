"""Geodesic L-BFGS as a ``torch.optim.Optimizer``: our own automatic method at a Lipschitz bound."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch.optimizers.bounded import Bounded
from normbench.torch.optimizers.closure import ClosureCurve, Gradient
from normbench.torch.optimizers.gate import Group
from normbench.torch.optimizers.lifted import Lifted, Lifts
from normbench.torch.updates.geodesic_lbfgs import State, geodesic_lbfgs

_DEFAULTS = specs.get("geodesic_lbfgs").defaults


class GeodesicLBFGS(Bounded):
    """Geodesic L-BFGS: quasi-Newton steps along curves on which every weight keeps its bound.

    R(t) = (Q + t D) ((Q + t D)^T (Q + t D))^(-1/2),   Q = [P; V],   Q^T Q = I,   W = radius P

    so that ||W||_op <= radius at every iterate; D is the direction of L-BFGS with an initial metric from both sides of
    the history of the gradients, t = 1, or method 1's Taylor step while nothing is known yet, cut until the loss falls
    by enough. There is no learning rate: ``lr`` in the groups is 1 for loggers, and a step refuses another value.

    Each parameter is a matrix for itself: a kernel (out, in, height, width) as (out, in height width), a vector as one
    column. ``{"params": ..., "radius": r, "manifold": "ball"}`` gives a group its own: the ball ||W||_op <= r, or with
    "sphere" the matrices with ||W||_F = r. The bound holds in the parameter's own dtype, rounding included. Weights
    that are loaded or changed later start with an empty memory, and are refused where they lie outside.

    Second derivatives come from the closure as :class:`normbench.torch.Method1` has them, at the first step and where
    the memory was given up. The step waits for the device. Let the closure return its loss in float32 at least.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Weights and vectors of any shape, on one device.
    history : int
        Pairs of steps and gradient differences that are kept.
    decay : float
        Of the averages of G G^T and G^T G that make the metric.
    damping : float
        Added to the averages, in units of their mean eigenvalue.
    max_trials : int
        Points of a line search; then the memory is given up.
    radius : float, optional
        Of the balls or spheres; None takes the norm that each weight has now.
    manifold : str
        "ball" or "sphere".
    module : torch.nn.Module, optional
        What the closure evaluates and where all parameters are; then derivatives are taken in forward mode.
    process_group : torch.distributed.ProcessGroup, optional
        For data-parallel training, as :class:`normbench.torch.Method1` has it.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter or an option of a group is unknown or out of range, or a parameter is frozen, sharded, a
        single number, holds NaN, lies outside its ball, or is zero where no radius is given.

    Warns
    -----
    NotReachedWarning
        If the loss of a step does not reach some parameters: once for the same ones. They stay where they are. If it
        reaches none, the step raises.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import GeodesicLBFGS
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = GeodesicLBFGS(model.parameters(), radius=2.0)
    >>> before = optimizer.step(lambda: (model(x) - 1).square().mean())
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    >>> torch.linalg.matrix_norm(model.weight.double(), 2) <= 2.0
    tensor(True)
    """

    key = "geodesic_lbfgs"
    own: ClassVar[tuple[str, ...]] = ("manifold", "radius")
    update_state = State

    def __init__(
        self,
        params: Iterable[Any],
        *,
        history: int = _DEFAULTS["history"],
        decay: float = _DEFAULTS["decay"],
        damping: float = _DEFAULTS["damping"],
        max_trials: int = _DEFAULTS["max_trials"],
        radius: float | None = _DEFAULTS["radius"],
        manifold: str = _DEFAULTS["manifold"],
        module: torch.nn.Module | None = None,
        process_group: Any = None,
    ) -> None:
        options = {"history": history, "decay": decay, "damping": damping, "max_trials": max_trials}
        own = {"radius": radius, "manifold": manifold}
        super().__init__(params, options | own, module=module, process_group=process_group)

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(options)
        manifold = options.get("manifold", _DEFAULTS["manifold"])
        if manifold not in ("ball", "sphere"):
            raise InvalidArgumentError(f"manifold must be 'ball' or 'sphere'; got {manifold!r}.")
        return checked | {"manifold": manifold}

    def _on_spheres(self, group: Group) -> bool:
        return bool(group["manifold"] == "sphere")

    def _more(self, own: list[dict[str, Any]]) -> dict[str, Any]:
        if not all("before" in of_layer for of_layer in own):
            return {}
        return {"before": tuple([of_layer["before"][part] for of_layer in own] for part in (0, 1))}

    def _bends(self, prepared: Lifts) -> bool:
        return not prepared.state.pairs and prepared.state.before is None

    def _walk(self, objective: ClosureCurve, start: Any, prepared: Lifts) -> tuple[Sequence[Tensor], float]:
        searched = Searched(objective, start, prepared)
        found = geodesic_lbfgs(**self._shared(self.param_groups[0])).step(searched, searched.start, prepared.state)
        return searched.keep(found.state, found.point.layers, found.step_size, self.state)


class Point(NamedTuple):
    """Variables with their scaled loss, and the parameters that stand for them."""

    weights: list[Tensor]
    loss: float
    layers: list[Tensor]


class Searched(Lifted):
    """The loss of a closure on lifts, to be searched along a curve.

    Attributes
    ----------
    start : Point
        At the present parameters.
    """

    def __init__(self, curve: ClosureCurve, start: Any, lifts: Lifts) -> None:
        super().__init__(curve, start, lifts)
        self._moved = False
        self.start = Point(self.variables, float(start.loss) * self._scale, start.weights)

    def point(self, variables: Sequence[Tensor]) -> Point:
        """Move the parameters there, rounded to within their balls, and evaluate."""
        moved = self._rounded(variables)
        found, self._moved = self._curve.point(moved), True
        return Point(list(variables), float(found.loss) * self._scale, moved)

    def slope(self, point: Point) -> Gradient:
        """Gradient at the start."""
        return Gradient(self._gradient)

    def series_derivatives(self, point: Point, slope: Gradient, series: Sequence[Sequence[Tensor]]) -> list[float]:
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

    def _write(self, own: dict[str, Any], state: State, k: int) -> None:
        own.pop("before", None)
        if state.before is not None:
            own["before"] = tuple(vectors[k] for vectors in state.before)
