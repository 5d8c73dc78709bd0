"""How far outputs that are computed in floating point are from f(z): N. J. Higham, "Accuracy and Stability of Numerical
Algorithms", section 3.1, carried through the layers.

However its sums are ordered, fl(W h + b) is off by at most g (|W| |h| + |b|), g = (n + 1) u / (1 - (n + 1) u) with n
columns and the unit roundoff u; what h itself is off by grows by ||W||_op. Twice g pays for roundings of second order.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from normbench.certificates.rounding import frobenius_norm, operator_norm
from normbench.networks.activations import Activation


class ClassMargin(NamedTuple):
    """No other class is computed within (margin - ``part`` ||z|| - ``rest``) / ``steepest`` of x, if that is positive.

    The margin is the largest computed output less the second. Both may be wrong, here and at the other x.

    Attributes
    ----------
    part, rest : float
        Of the margin, in the unit of the outputs.
    steepest : float
        How fast a difference of two outputs may change: sqrt 2 times the bound, and what rounding adds.
    spare : float
        Relative error of a few more operations over all inputs, such as ||x||.
    """

    part: float
    rest: float
    steepest: float
    spare: float

    @classmethod
    def of(
        cls,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        *,
        bound: float,
        scale: float,
        activation: Activation,
        output_scale: float,
        dtype: np.dtype,
    ) -> "ClassMargin":
        """What holds for a network of this Lipschitz bound over x, where ||z - z'|| <= ||x - x'|| / scale.

        The rest as :func:`rounding_error` takes it.
        """
        error = rounding_error(weights, biases, activation=activation, output_scale=output_scale, dtype=dtype)
        spare = (weights[0].shape[1] + 16) * float(np.finfo(dtype).eps)
        raised = math.sqrt(2.0) * (1.0 + spare)
        return cls(2.0 * raised * error.part, 2.0 * raised * error.rest, raised * (bound + error.part / scale), spare)

    def radius(self, margin: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Of margins at inputs of these sizes ||z||, shape (samples,) each; at least 0."""
        with np.errstate(over="ignore"):
            return np.maximum(margin - (self.part * size + self.rest), 0.0) / self.steepest


class RoundingError(NamedTuple):
    """At most ``part`` ||z|| + ``rest``, in the unit of the outputs."""

    part: float
    rest: float


def rounding_error(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    *,
    activation: Activation,
    output_scale: float,
    dtype: np.dtype,
) -> RoundingError:
    """Bound on the Euclidean distance of computed outputs from output_scale W_m rho(... rho(W_1 z + b_1) ...) + b_m.

    It also holds where z = (x - mean) / scale or x / ||x|| is computed, with ||z|| that of the exact one.

    Parameters
    ----------
    weights : sequence of arrays, shape (n_k, n_{k-1}), float64
        The numbers as they are computed with.
    biases : sequence of arrays, shape (n_k,), float64
    activation : Activation
        rho.
    output_scale : float
    dtype : dtype
        Of the arithmetic.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.networks.activations import Relu
    >>> W, b = np.ones((2, 3)), np.zeros(2)
    >>> found = rounding_error([W], [b], activation=Relu(), output_scale=1.0, dtype=np.dtype("float32"))
    >>> 1e-6 < found.part < 1e-5, found.rest < 1e-30
    (True, True)
    """
    ulp, least = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)  # 2 u, and what an underflow may lose
    inputs = weights[0].shape[1]
    # pairs (a, c) stand for a ||z|| + c: how long what a layer reads can be, and how far off
    size, error = np.array([1.0, 0.0]), np.array([(inputs + 8) * ulp, inputs * least])
    last = len(weights) - 1
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        added = np.array([0.0, float(np.linalg.norm(bias))])
        inside = added * (k < last)  # the last bias comes behind the output scale
        rows, columns = weight.shape
        rounded = (columns + 2) * ulp * (frobenius_norm(weight) * (size + error) + inside)
        rounded[1] += math.sqrt(rows) * (columns + 1) * least
        growth = operator_norm(weight)
        error = growth * error + rounded
        size = growth * size + inside
        behind, roundings = (activation.gain, activation.ulps) if k < last else (abs(output_scale), 2)
        error, size = behind * error, behind * size + (added - inside)
        error += roundings * ulp * (size + error)
    return RoundingError(*error.tolist())
