"""What stands between two layers with weights.

A new one is a class here, its name in :data:`ACTIVATIONS`, and what :mod:`normbench.networks.base` asks of a layer.

Every one of :data:`ACTIVATIONS` is zero at zero and 1-Lipschitz: ||rho(v)|| <= ||v||, ||rho(v) - rho(w)|| <= ||v - w||.
That is all that the bounds of arXiv 2312.10672 (section 2.3, eq. 17-21) and of arXiv 2304.05187 (lemmas 3 and 4) use of
a ReLU, so that the majorant of method 2 and the step of AGD stand on the same ground with each of them. Both papers
also neglect how far the outputs are from linear in the weights (assumption 1 of either): a tanh is curved itself and
neglects more there than the other three, which are linear in pieces.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from normbench.networks.base import Fixed, Shape


class Activation(Fixed):
    """What stands between two layers with weights."""

    is_homogeneous: ClassVar[bool] = True  # rho(c x) = c rho(x) for c > 0
    ulps: ClassVar[int] = 0  # by how many units in the last place a computed value may be off


class UnitByUnit(Activation):
    """One function of one number for every unit. The slopes that it declares are what certificates rest on."""

    has_kink: ClassVar[bool] = True  # at zero, and nowhere else
    ulps = 8  # unless a class says less: more than libraries of C state of a function

    @property
    @abstractmethod
    def slopes(self) -> tuple[float, float]:
        """The least and the greatest slope: (rho(a) - rho(b)) / (a - b) lies between them for all a, b."""

    @abstractmethod
    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives at x, each of its shape."""

    @property
    def gain(self) -> float:
        """The size of the steepest slope."""
        return max(map(abs, self.slopes))


@dataclass(frozen=True)
class Relu(UnitByUnit):
    """max(x, 0), with derivative 0 at 0."""

    ulps = 0

    @property
    def slopes(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives at x."""
        slopes = np.where(x > 0, 1.0, 0.0)
        return slopes * x, slopes


@dataclass(frozen=True)
class LeakyRelu(UnitByUnit):
    """x where x > 0, else slope x; the slope of torch and JAX unless another is given. The derivative at 0 is it."""

    slope: float = 0.01
    ulps = 1

    @property
    def slopes(self) -> tuple[float, float]:
        """Its own and 1."""
        return min(self.slope, 1.0), max(self.slope, 1.0)

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives at x."""
        slopes = np.where(x > 0, 1.0, self.slope)
        return slopes * x, slopes


@dataclass(frozen=True)
class Tanh(UnitByUnit):
    """Hyperbolic tangent. Not homogeneous: tanh(c x) is not c tanh(x), so that the size of the weights matters."""

    is_homogeneous = False
    has_kink = False

    @property
    def slopes(self) -> tuple[float, float]:
        """0, far away, and 1 at zero."""
        return 0.0, 1.0

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives at x."""
        values = np.tanh(x)
        return values, 1 - values**2


@dataclass(frozen=True)
class MaxMin(Activation):
    """Units 2i and 2i + 1, or channels, replaced by their maximum and minimum (arXiv 1811.05381, section 4.2).

    A permutation at every input, so that signals and gradients keep their norms. Of an odd number of units the last
    one passes unchanged, which is a permutation as well. Equal units stay where they are.
    """

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input: features, or channels, height and width."""
        self.check(len(shape) in (1, 3), shape)
        return shape


ACTIVATIONS: dict[str, Activation] = {
    "relu": Relu(),
    "leaky_relu": LeakyRelu(),
    "tanh": Tanh(),
    "maxmin": MaxMin(),
}
"""What perceptrons and convolutional networks can have between their layers, by name."""


def has_unit_slopes(activation: Activation) -> bool:
    """True if the slopes of every unit lie in [0, 1], on which all certificates but the product of norms rest."""
    return isinstance(activation, UnitByUnit) and min(activation.slopes) >= 0.0 and max(activation.slopes) <= 1.0


def name_of(activation: Activation) -> str:
    """Its name in :data:`ACTIVATIONS`; "" where it has none, such as another slope."""
    return next((name for name, known in ACTIVATIONS.items() if known == activation), "")
