"""The objective of a network in torch as a function of the variables of a parametrisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.specs.base import Geometry
from normbench.torch.updates.parametrisations import Chart


class Slope(NamedTuple):
    """Gradient at a point, and what the objective of the plain weights says of it."""

    gradient: list[Tensor]
    plain: Any


class Point(NamedTuple):
    """Variables, under the name that every point has for what is optimised, with their loss.

    ``plain`` is the point of the plain weights; ``graph`` has the variables as leaves, and the weights made of them.
    """

    weights: list[Tensor]
    loss: Tensor
    plain: Any
    graph: tuple[list[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Through:
    """What an optimiser asks of an objective, asked of its variables.

    Attributes
    ----------
    objective : object with ``point``, ``slope``, ``loss`` and ``series_derivatives``
        Of the plain weights; its evaluations are counted there.
    chart : Chart
    geometry : Geometry
        Where the variables lie.
    """

    objective: Any
    chart: Chart
    geometry: Geometry

    @property
    def evaluations(self) -> tuple[int, int]:
        """Those of the plain weights."""
        return self.objective.evaluations

    def loss(self, variables: Sequence[Tensor]) -> float:
        """Value at the plain weights."""
        return self.objective.loss(self.chart.weights(variables))

    def point(self, variables: Sequence[Tensor]) -> Point:
        """Forward pass at the plain weights."""
        with torch.enable_grad():
            leaves = [v.detach().requires_grad_() for v in variables]
            weights = self.chart.weights(leaves)
        plain = self.objective.point([w.detach() for w in weights])
        return Point(list(variables), plain.loss, plain, (leaves, weights))

    def slope(self, point: Point) -> Slope:
        """Backward pass, and on to the variables."""
        plain = self.objective.slope(point.plain)
        leaves, weights = point.graph
        found = torch.autograd.grad(weights, leaves, plain.gradient, retain_graph=True, materialize_grads=True)
        return Slope([g.contiguous() for g in found], plain)  # torch.optim.LBFGS views them as vectors

    def series_derivatives(self, point: Point, slope: Slope, curve: Sequence[Sequence[Tensor]]) -> list[float]:
        """First and second derivative at t = 0 of the loss along a curve of the variables from a point.

        Parameters
        ----------
        point, slope
            Where the curve starts.
        curve : sequence of lists of tensors
            Taylor coefficients of order 0, 1 and 2 of every variable.
        """
        if self.chart.series is None:
            raise NotImplementedError("the weights are no polynomials of the variables, and have no series here.")
        return self.objective.series_derivatives(point.plain, slope.plain, self.chart.series(curve))
