"""What stands between a user's columns and a network without biases: an affine map with one scale, or x / ||x||.

The affine map is z = (x - mean) / scale with a constant coordinate behind it, whose weights are the biases of the first
layer. One scale for all columns keeps distances: ||z - z'|| = ||x - x'|| / scale, so that a bound over z is one over x.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from normbench.certificates.stored import StoredNetwork
from normbench.errors import DataError, InvalidArgumentError
from normbench.problems.scaling import unit_inputs

CONSTANT = 1.0  # beside inputs whose root mean square norm is 1


class InputMap(Protocol):
    """From the columns of a table to the inputs of a network."""

    @property
    def name(self) -> str:
        """A key of :data:`normbench.certificates.stored.INPUT_MAPS`."""

    @property
    def mean(self) -> np.ndarray | None:
        """What is taken off the columns, shape (columns,)."""

    @property
    def scale(self) -> float:
        """What they are divided by then."""

    @property
    def constants(self) -> tuple[float, ...]:
        """Coordinates behind z that are the same for all samples."""

    def mapped(self, x: np.ndarray) -> np.ndarray:
        """z, shape (samples, columns), without the constants."""

    def distances(self, x: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """How far every x may move, in its own unit, before it has moved by the radius as bounds measure it."""


@dataclass(frozen=True, eq=False)
class Affine:
    """z = (x - mean) / scale, and a constant.

    Attributes
    ----------
    mean : array, shape (columns,)
    scale : float
    """

    mean: np.ndarray
    scale: float
    name: str = "affine"
    constants: tuple[float, ...] = (CONSTANT,)

    @classmethod
    def of(cls, x: np.ndarray) -> "Affine":
        """Mean of every column; the scale is the root mean square of ||x - mean||.

        Raises
        ------
        DataError
            If no column varies, or float64 does not hold the squares.
        """
        if (x.min(axis=0) == x.max(axis=0)).all():
            raise DataError(f"every column of X is constant, in all {len(x)} samples: there is nothing to learn from.")
        with np.errstate(over="ignore", invalid="ignore"):
            mean = x.mean(axis=0)
            scale = math.sqrt(np.square(x - mean).sum(axis=1).mean())
        if not 0.0 < scale < math.inf:
            raise DataError(f"X spreads by {scale}, whose square float64 does not hold. Choose another unit for X.")
        return cls(mean, scale)

    def mapped(self, x: np.ndarray) -> np.ndarray:
        """See :class:`InputMap`."""
        return (x - self.mean) / self.scale

    def distances(self, x: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """The radii: a bound over z, divided by the scale, is one over x."""
        return radii


@dataclass(frozen=True)
class UnitNorm:
    """z = x / ||x||, the normalisation of arXiv 2312.10672: without a mean, and without a constant."""

    name: str = "unit_norm"
    mean: None = None
    scale: float = 1.0
    constants: tuple[float, ...] = ()

    @classmethod
    def of(cls, x: np.ndarray) -> "UnitNorm":
        """Raises :class:`normbench.errors.DataError` where a sample has zero norm."""
        unit_inputs(x)
        return cls()

    def mapped(self, x: np.ndarray) -> np.ndarray:
        """See :class:`InputMap`; raises :class:`normbench.errors.DataError` where a sample has zero norm."""
        return unit_inputs(x)

    def distances(self, x: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """||x|| sin(2 asin(r / 2)): the way to the nearest direction at chord r, and to the origin from sqrt 2 on."""
        return np.linalg.norm(x, axis=1) * np.sin(2.0 * np.arcsin(np.minimum(radii, math.sqrt(2.0)) / 2.0))


KINDS: dict[str, type[Affine] | type[UnitNorm]] = {"affine": Affine, "unit_norm": UnitNorm}


def fitted(name: str, x: np.ndarray) -> InputMap:
    """The map of that name for the columns of a table.

    Raises
    ------
    InvalidArgumentError
        If there is none of that name.
    DataError
        If the table has none.
    """
    if name not in KINDS:
        raise InvalidArgumentError(f"inputs must be {' or '.join(KINDS)}; got {name!r}.")
    return KINDS[name].of(x)


def of(network: StoredNetwork) -> InputMap:
    """The map that a network says it stands behind."""
    if network.input_map == UnitNorm.name:
        return UnitNorm()
    mean = np.zeros(network.weights[0].shape[1]) if network.input_mean is None else network.input_mean
    return Affine(mean, network.input_scale)


def outputs(network: StoredNetwork, x: np.ndarray) -> np.ndarray:
    """f(x) of a ReLU network behind its map, in float64, shape (samples, outputs)."""
    z = of(network).mapped(x)
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = np.maximum(z @ weight.T + bias, 0.0)
    return network.output_scale * (z @ network.weights[-1].T) + network.biases[-1]
