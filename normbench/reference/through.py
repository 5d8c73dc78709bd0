"""The objective of a network as a function of the variables of a parametrisation."""

from collections.abc import Sequence

import numpy as np

from normbench.problems.problem import Weights
from normbench.reference.network import Objective, Point
from normbench.reference.parametrisations import Chart
from normbench.specs.base import Geometry


class Through:
    """What an optimiser asks of an objective, asked of its variables.

    Parameters
    ----------
    objective : Objective
        Of the plain weights; its evaluations are counted there.
    chart : Chart
    geometry : Geometry
        Where the variables lie.
    """

    def __init__(self, objective: Objective, chart: Chart, geometry: Geometry) -> None:
        self._objective, self._chart = objective, chart
        self.geometry = geometry

    @property
    def evaluations(self) -> tuple[int, int]:
        """Those of the plain weights."""
        return self._objective.evaluations

    def loss(self, variables: Weights) -> float:
        """Value at the plain weights."""
        return self._objective.loss(self._chart.weights(variables))

    def point(self, variables: Weights) -> Point:
        """The variables with the value there."""
        return Point(variables, self.loss(variables))

    def gradient(self, variables: Weights) -> Weights:
        """Gradient with respect to the variables."""
        return self._chart.pull_back(variables, self._objective.gradient(self._chart.weights(variables)))

    def series_derivatives(self, curve: Sequence[list[np.ndarray]]) -> list[float]:
        """Derivatives at t = 0 along a curve of the variables, see :meth:`Objective.series_derivatives`."""
        if self._chart.series is None:
            raise NotImplementedError("the weights are no polynomials of the variables, and have no series here.")
        return self._objective.series_derivatives(self._chart.series(curve))
