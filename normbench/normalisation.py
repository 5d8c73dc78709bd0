"""Scaling of data and initial weights: Algorithm 1 of arXiv 2312.10672, prescription 1 of arXiv 2304.05187.

Everything here is NumPy and drawn by seed, so that every backend starts from the same bits.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.stats import ortho_group

from normbench.errors import DataError, InvalidArgumentError

Weights = tuple[np.ndarray, ...]

WEIGHT_STREAM = 1  # seeds the weights apart from the split, which uses the bare seed


@dataclass(frozen=True, eq=False)
class Problem:
    """Normalised data, initial weights, and what turns them back into physical units.

    The loss of a sample is ||f(x) - y||^2 / (2 loss_divisor); the objective is its mean.

    Attributes
    ----------
    x_train, x_test : array, shape (samples, d_0), float64
    y_train, y_test : array, shape (samples, d_L), float64
    weights : tuple of arrays, shape (d_k, d_{k-1}), float64
        Initial weights, first layer first.
    loss_divisor : float
        1 for arXiv 2312.10672, d_L for arXiv 2304.05187 (Example 1).
    output_scale : float
        Physical unit of the outputs per normalised unit: Ymax / prod ||W_i||_op under Algorithm 1.
    input_norm : float
        ||x|| of every normalised sample.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    weights: Weights
    loss_divisor: float
    output_scale: float
    input_norm: float

    def rms(self, loss: float) -> float:
        """Root-mean-square error norm in physical units: sqrt(2 c L) Ymax / prod ||W_i||_op at initialisation."""
        return float(np.sqrt(2.0 * self.loss_divisor * loss) * self.output_scale)

    def lipschitz_bound(self, weights: Weights) -> float:
        """Bound prod ||W_i||_op (eq. 2 of arXiv 2312.10672) in physical output units per unit-norm input."""
        return spectral_product(weights) * self.input_norm * self.output_scale


def spectral_product(weights: Weights) -> float:
    """Product of the operator norms, prod ||W_i||_op, or NaN where a weight is not finite."""
    if not all(np.isfinite(w).all() for w in weights):
        return float("nan")
    return float(np.prod([np.linalg.norm(w, 2) for w in weights]))


def check_layers(layers: tuple[int, ...]) -> None:
    """Raise unless ``layers`` are at least two positive widths.

    Raises
    ------
    InvalidArgumentError
    """
    if len(layers) < 2 or any(width < 1 for width in layers):
        raise InvalidArgumentError(
            f"layers must be at least two positive widths, input first; got {layers}. Example: 12,25,30,15,3."
        )


def xavier_uniform(layers: tuple[int, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on +-sqrt(6 / (d_{k-1} + d_k)), shape (d_k, d_{k-1}) each."""
    check_layers(layers)
    shapes = zip(layers[1:], layers[:-1], strict=True)
    return tuple(rng.uniform(-1.0, 1.0, size=s) * np.sqrt(6.0 / sum(s)) for s in shapes)


def semi_orthogonal(layers: tuple[int, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on semi-orthogonal matrices, singular values sqrt(d_k / d_{k-1}) (Algorithm 1 of 2304.05187)."""
    check_layers(layers)
    weights = []
    for fan_in, fan_out in itertools.pairwise(layers):
        size = max(fan_in, fan_out)
        square = ortho_group.rvs(size, random_state=rng) if size > 1 else np.sign(rng.normal(size=(1, 1)))
        weights.append(square[:fan_out, :fan_in] * np.sqrt(fan_out / fan_in))
    return tuple(weights)


def unit_inputs(inputs: np.ndarray) -> np.ndarray:
    """Every sample divided by its own norm: x / ||x||.

    Raises
    ------
    DataError
        If a sample has zero norm.
    """
    norms = np.linalg.norm(inputs, axis=1, keepdims=True)
    if not norms.all():
        raise DataError(f"input sample {int(np.argmin(norms))} has zero norm; x / ||x|| is undefined. Remove it.")
    return inputs / norms


def _largest_norm(targets: np.ndarray) -> float:
    largest = float(np.linalg.norm(targets, axis=1).max())
    if largest == 0.0:
        raise DataError("all training targets are zero, so Ymax = 0 and y / Ymax is undefined.")
    return largest


def spectral_initialisation(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    layers: tuple[int, ...],
    *,
    seed: int,
    radius: float = 1.0,
) -> Problem:
    """Algorithm 1 of arXiv 2312.10672: unit-norm inputs, weights on spheres, outputs scaled to the network's gain.

    W_i = mu W_i / ||W_i||_F,  x = x / ||x||,  y = prod ||W_i||_op y / Ymax, with Ymax over the training set.

    Parameters
    ----------
    train, test : pair of arrays, shapes (samples, d_0) and (samples, d_L)
        Inputs and outputs in physical units.
    layers : tuple of int
        Widths d_0, ..., d_L.
    seed : int
        Seeds the uniform Xavier weights.
    radius : float
        mu, the Frobenius norm of every layer.

    Raises
    ------
    DataError
        If a sample has zero norm or all training targets are zero.
    InvalidArgumentError
        If there are fewer than two layers, a width is not positive, or the radius is not positive and finite.
    """
    if not 0.0 < radius < np.inf:
        raise InvalidArgumentError(f"radius must be positive and finite; got {radius!r}.")
    drawn = xavier_uniform(layers, np.random.default_rng([seed, WEIGHT_STREAM]))
    weights = tuple(radius * w / np.linalg.norm(w) for w in drawn)
    scale = spectral_product(weights) / _largest_norm(train[1])
    return Problem(
        x_train=unit_inputs(train[0]),
        y_train=train[1] * scale,
        x_test=unit_inputs(test[0]),
        y_test=test[1] * scale,
        weights=weights,
        loss_divisor=1.0,
        output_scale=1.0 / scale,
        input_norm=1.0,
    )


def dimensional_scaling(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    layers: tuple[int, ...],
    *,
    seed: int,
) -> Problem:
    """Prescription 1 of arXiv 2304.05187: ||x|| = sqrt(d_0), ||W_k||_op = sqrt(d_k / d_{k-1}), ||y|| <= sqrt(d_L).

    The paper gives every target the norm sqrt(d_L); a regression target carries its size, so here the largest
    training target has that norm and the others keep their ratio to it. Lemmas 3 to 8 need the upper bound only.

    Parameters and errors as :func:`spectral_initialisation`.
    """
    weights = semi_orthogonal(layers, np.random.default_rng([seed, WEIGHT_STREAM]))
    input_norm = float(np.sqrt(layers[0]))
    scale = float(np.sqrt(layers[-1])) / _largest_norm(train[1])
    return Problem(
        x_train=unit_inputs(train[0]) * input_norm,
        y_train=train[1] * scale,
        x_test=unit_inputs(test[0]) * input_norm,
        y_test=test[1] * scale,
        weights=weights,
        loss_divisor=float(layers[-1]),
        output_scale=1.0 / scale,
        input_norm=input_norm,
    )
