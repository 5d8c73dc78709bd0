"""What stands between a user's columns and a network without biases: an affine map, or x / ||x||.

The affine map is z = (x - mean) / scale with a constant coordinate behind it, whose weights are the biases of the first
layer. One scale for all columns keeps distances: ||z - z'|| = ||x - x'|| / scale, so that a bound over z is one over x.
With a scale for each column it keeps those of standardised columns, x / spread, and bounds are per standard deviation.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.preprocessing import StandardScaler

from normbench.certificates.stored import StoredNetwork
from normbench.errors import DataError, InvalidArgumentError
from normbench.estimators import samples
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
    def scale(self) -> float | np.ndarray:
        """What they are divided by then, one number or shape (columns,)."""

    @property
    def spread(self) -> np.ndarray | None:
        """Units of the columns in which a change of x is measured, shape (columns,); None for those of the table."""

    @property
    def unit(self) -> float:
        """How far x moves, as changes of it are measured, where z moves by 1."""

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
    scale : float, or array of shape (columns,)
    spread : array, shape (columns,), or None
    """

    mean: np.ndarray
    scale: float | np.ndarray
    spread: np.ndarray | None = None
    name: str = "affine"
    constants: tuple[float, ...] = (CONSTANT,)

    @classmethod
    def of(cls, x: np.ndarray, weight: np.ndarray | None = None) -> "Affine":
        """Mean of every column; the scale is the root mean square of ||x - mean||; both over rows of these weights.

        Raises
        ------
        DataError
            If no column varies, or float64 does not hold the squares.
        """
        _check_varies(x)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = samples.mean(x, weight)
            scale = math.sqrt(samples.mean(np.square(x - mean).sum(axis=1), weight))
        _check_spread(scale)
        return cls(mean, scale)

    @property
    def unit(self) -> float:
        """See :class:`InputMap`."""
        return float(np.min(self.scale if self.spread is None else self.scale / self.spread))

    def mapped(self, x: np.ndarray) -> np.ndarray:
        """See :class:`InputMap`."""
        return (x - self.mean) / self.scale

    def distances(self, x: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """The radii; of columns in units of their own by the smallest, for a step may be along that column."""
        return radii if self.spread is None else radii * self.spread.min()


@dataclass(frozen=True, eq=False)
class Standardised(Affine):
    """The affine map of columns in units of their standard deviations; one that never varies is in its own unit."""

    @classmethod
    def of(cls, x: np.ndarray, weight: np.ndarray | None = None) -> "Standardised":
        """Means and standard deviations as those of scikit-learn's ``StandardScaler``.

        The scale is the spread times the root mean square of ||(x - mean) / spread||.

        Raises
        ------
        DataError
            If no column varies, or float64 does not hold the squares.
        """
        _check_varies(x)
        with np.errstate(over="ignore", invalid="ignore"):
            scaler = StandardScaler().fit(x, sample_weight=weight)
        _check_spread(scaler.scale_.max() if np.isfinite(scaler.var_).all() else math.inf)
        varying = x.min(axis=0) < x.max(axis=0)
        return cls(scaler.mean_, math.sqrt(varying.sum()) * scaler.scale_, scaler.scale_)


def _check_varies(x: np.ndarray) -> None:
    if (x.min(axis=0) == x.max(axis=0)).all():
        raise DataError(f"every column of X is constant, in all {len(x)} samples: there is nothing to learn from.")


def _check_spread(spread: float) -> None:
    if not 0.0 < spread < math.inf:
        raise DataError(f"X spreads by {spread}, whose square float64 does not hold. Choose another unit for X.")


@dataclass(frozen=True)
class UnitNorm:
    """z = x / ||x||, the normalisation of arXiv 2312.10672: without a mean, and without a constant."""

    name: str = "unit_norm"
    mean: None = None
    scale: float = 1.0
    spread: None = None
    unit: float = 1.0
    constants: tuple[float, ...] = ()

    @classmethod
    def of(cls, x: np.ndarray, weight: np.ndarray | None = None) -> "UnitNorm":
        """The same for all tables. Raises :class:`normbench.errors.DataError` where a sample has zero norm."""
        unit_inputs(x)
        return cls()

    def mapped(self, x: np.ndarray) -> np.ndarray:
        """See :class:`InputMap`; raises :class:`normbench.errors.DataError` where a sample has zero norm."""
        return unit_inputs(x)

    def distances(self, x: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """||x|| sin(2 asin(r / 2)): the way to the nearest direction at chord r, and to the origin from sqrt 2 on."""
        return np.linalg.norm(x, axis=1) * np.sin(2.0 * np.arcsin(np.minimum(radii, math.sqrt(2.0)) / 2.0))


KINDS: dict[str, type[Affine] | type[UnitNorm]] = {
    "affine": Affine,
    "standardised": Standardised,
    "unit_norm": UnitNorm,
}


def fitted(name: str, x: np.ndarray, weight: np.ndarray | None = None) -> InputMap:
    """The map of that name for the columns of a table, whose rows may have weights, shape (samples,).

    Raises
    ------
    InvalidArgumentError
        If there is none of that name.
    DataError
        If the table has none.
    """
    if name not in KINDS:
        raise InvalidArgumentError(f"inputs must be {', '.join(KINDS)}; got {name!r}.")
    return KINDS[name].of(x, weight)


def of(network: StoredNetwork) -> InputMap:
    """The map that a network says it stands behind."""
    if network.input_map == UnitNorm.name:
        return UnitNorm()
    mean = np.zeros(network.weights[0].shape[1]) if network.input_mean is None else network.input_mean
    return Affine(mean, network.input_scale, network.input_spread)


def outputs(network: StoredNetwork, x: np.ndarray) -> np.ndarray:
    """f(x) of a ReLU network behind its map, in float64, shape (samples, outputs)."""
    z = of(network).mapped(x)
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = np.maximum(z @ weight.T + bias, 0.0)
    return network.output_scale * (z @ network.weights[-1].T) + network.biases[-1]
