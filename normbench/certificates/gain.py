"""How large the Lipschitz constant is at least: the gain of the network at points where it is large."""

import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from normbench.certificates.plain import plain
from normbench.certificates.rounding import rounded_down
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import ACTIVATIONS, Activation, MaxMin, UnitByUnit

_STARTS, _STEPS = 256, 20  # points that are drawn, and how often each moves on
_AT_A_KINK = 2.0**-40  # part of the size of a sum's terms: the sum's sign is one of rounding


def largest_gain(
    weights: Sequence[Any],
    *,
    activation: str | Activation = "relu",
    output_scale: float = 1.0,
    biases: Sequence[Any] = (),
) -> float:
    """The largest operator norm of the Jacobian of f that was found: no Lipschitz bound is below it.

    256 points of norms from 1e-3 to 10 are drawn, the same at every call, and each moves on 20 times, at its norm, to
    the top right singular vector of its Jacobian, where a network without biases has a larger gain in general. A point
    where a unit changes its slope does not count: what stands there for a Jacobian can be that of no neighbourhood.

    Parameters
    ----------
    weights : sequence of arrays, shape (n_k, n_{k-1})
        Of f(x) = output_scale W_m rho(... rho(W_1 x + b_1) ...) + b_m, the first layer first.
    activation : str or Activation
        rho.
    output_scale : float
    biases : sequence of arrays, shape (n_k,), optional
        b_k of every layer.

    Returns
    -------
    float
        0 where float64 does not hold it.

    Raises
    ------
    InvalidArgumentError
        If the weights are no network, see :func:`normbench.certificates.plain.plain`.

    Examples
    --------
    >>> round(largest_gain([np.array([[1.0], [1.0]]), np.array([[1.0, -0.5]])]), 6)
    0.5
    """
    network = plain(weights, activation, output_scale)
    between = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    added = [np.asarray(b, np.float64) for b in biases] or [np.zeros(len(w)) for w in network.given]
    exponents = [int(np.frexp(np.abs(weight).max())[1]) for weight in network.given]
    scaled = [np.ldexp(weight, -e) for weight, e in zip(network.given, exponents, strict=True)]
    x, along = np.random.default_rng(0).normal(size=(2, _STARTS, network.given[0].shape[1]))
    x *= (np.geomspace(1e-3, 10.0, _STARTS) / np.linalg.norm(x, axis=1))[:, None]
    best = 0.0
    for _ in range(_STEPS):
        with np.errstate(over="ignore", invalid="ignore"):
            jacobians, smooth = _jacobians(network.given, scaled, added, between, x, along)
        jacobians = np.where(np.isfinite(jacobians).all(axis=(1, 2), keepdims=True), jacobians, 0.0)
        _, values, right = np.linalg.svd(jacobians, full_matrices=False)
        best = max(best, float(np.where(smooth, values[:, 0], 0.0).max()))
        side = np.where(np.sum(right[:, 0] * x, axis=1) < 0, -1.0, 1.0)  # the one on which the point is
        x = right[:, 0] * (side * np.linalg.norm(x, axis=1))[:, None]
    found = rounded_down(Fraction(best) * Fraction(network.output_scale) * Fraction(2) ** sum(exponents))
    return found if found < sys.float_info.max else 0.0


def _jacobians(
    weights: Sequence[np.ndarray],
    scaled: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    between: Activation,
    x: np.ndarray,
    along: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """df/dx of the ``scaled`` layers at every row of x, shape (points, n_m, n_0), and whether f has one there.

    Layers are scaled by powers of two, so that no product underflows. What follows the direction ``along``, which is
    drawn, tells of a unit whether it depends on x at all.
    """
    smooth, passed = np.ones(len(x), bool), []
    for weight, unit, bias in zip(weights[:-1], scaled[:-1], biases[:-1], strict=True):
        sizes = np.abs(x) @ np.abs(weight.T) + np.abs(bias)
        x, along = x @ weight.T + bias, along @ unit.T
        smooth &= ~_at_a_kink(between, x, sizes, along)
        through = _derivative(between, x)
        x, along = _value(between, x), through(along[:, None])[:, 0]
        passed.append(through)
    if scaled[0].shape[1] <= len(scaled[-1]):  # from the side of fewer rows; what passes a layer is symmetric
        transposed = np.broadcast_to(scaled[0].T, (len(x), *scaled[0].T.shape))
        for through, weight in zip(passed, scaled[1:], strict=True):
            transposed = through(transposed) @ weight.T
        return transposed.transpose(0, 2, 1), smooth
    jacobians = np.broadcast_to(scaled[-1], (len(x), *scaled[-1].shape))
    for through, weight in zip(reversed(passed), reversed(scaled[:-1]), strict=True):
        jacobians = through(jacobians) @ weight
    return jacobians, smooth


def _at_a_kink(between: Activation, x: np.ndarray, sizes: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Whether rounding may have chosen among different slopes of a unit, point by point; ``sizes`` are of x's terms."""
    if isinstance(between, UnitByUnit) and not between.has_kink:
        return np.zeros(len(x), bool)
    if isinstance(between, MaxMin):
        even = x.shape[1] // 2 * 2
        x, along = (array[:, 0:even:2] - array[:, 1:even:2] for array in (x, along))
        sizes = sizes[:, 0:even:2] + sizes[:, 1:even:2]
    return ((np.abs(x) <= _AT_A_KINK * sizes) & (along != 0)).any(axis=1)


def _value(between: Activation, x: np.ndarray) -> np.ndarray:
    return between.at(x)[0] if isinstance(between, UnitByUnit) else np.take_along_axis(x, _order(x), axis=1)


def _derivative(between: Activation, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What an activation at x makes of rows of derivatives, shape (points, rows, units): a symmetric map."""
    if isinstance(between, UnitByUnit):
        slopes = between.at(x)[1][:, None]
        return lambda rows: rows * slopes
    if isinstance(between, MaxMin):
        order = _order(x)[:, None]
        return lambda rows: np.take_along_axis(rows, order, axis=2)
    raise InvalidArgumentError(f"the gain of {between} is not known here. Make it a UnitByUnit, or write it.")


def _order(x: np.ndarray) -> np.ndarray:
    """Of which unit MaxMin shows the value in the place of each."""
    order = np.tile(np.arange(x.shape[1]), (len(x), 1))
    pairs = x[:, : x.shape[1] // 2 * 2].reshape(len(x), x.shape[1] // 2, 2)
    order[:, : pairs[0].size] ^= np.repeat(pairs[..., 0] < pairs[..., 1], 2, axis=1)
    return order
