"""The bound of P. L. Combettes and J.-C. Pesquet (arXiv 1903.01014) in the Euclidean norm.

Slopes S in [0, 1] are (I + Q) / 2 with ||Q||_op <= 1. Multiplying out W_m S_{m-1} ... S_1 W_1 leaves a sum over the
ways to cut W_m ... W_1 into consecutive blocks, at each activation or not:

    2^-(m-1)  sum over the cuts  prod over the blocks  ||W_j ... W_i||_op

It is at most the product of all ||W_k||_op, and depends on how the neurons are scaled. With F_0 = 1 and
F_j = sum_i F_i ||W_j ... W_{i+1}||_op, the sum of 2^(m-1) terms is F_m, in m (m + 1) / 2 norms.
"""

import math
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain
from normbench.certificates.rescaling import rescaled
from normbench.certificates.rounding import EPSILON, UNDERFLOW, frobenius_norm, operator_norm, with_slack

KIND = "combettes_pesquet"


def combettes_pesquet(network: Plain, scales: Sequence[np.ndarray] = ()) -> Certificate:
    """The bound of the network as it is, or with its neurons scaled.

    Parameters
    ----------
    network : Plain
        With slopes in [0, 1].
    scales : sequence of arrays, shape (n_k,), one for every hidden layer
        As of :mod:`normbench.certificates.rescaling`. They are the witness; without them it is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> f = [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])]
    >>> round(combettes_pesquet(plain(f)).bound, 6)  # (2 + 0) / 2
    1.0
    """
    start = time.perf_counter()
    witness = {"scales": tuple(scales)} if len(scales) else {}
    bound = with_slack(proven(network, scales))
    return Certificate(KIND, bound, witness, seconds=time.perf_counter() - start)


def proven(network: Plain, scales: Sequence[np.ndarray] = ()) -> float:
    """The bound, rounded up."""
    weights, errors = rescaled(network, scales) if len(scales) else (network.weights, [0.0] * len(network.weights))
    sums = [Fraction(1)]
    for last in range(len(weights)):
        block, error, total = weights[last], errors[last], Fraction(0)
        for first in range(last, -1, -1):
            if first < last:
                block, error = _times(block, error, weights[first], errors[first])
            norm = operator_norm(block, error=error)
            if norm == math.inf:
                return norm
            total += sums[first] * Fraction(norm)
        sums.append(total)
    return network.bound(sums[-1] / 2 ** (len(weights) - 1))


def _times(left: np.ndarray, of_left: float, right: np.ndarray, of_right: float) -> tuple[np.ndarray, float]:
    """The product, and its error in operator norm from those of the factors and its own n operations an entry."""
    sizes = frobenius_norm(left) + of_left, frobenius_norm(right) + of_right
    rounding = (left.shape[1] + 2) * EPSILON * sizes[0] * sizes[1]
    rounding += len(left) * right.size * UNDERFLOW
    with np.errstate(over="ignore", invalid="ignore"):
        product = left @ right
    return product, (of_left * sizes[1] + sizes[0] * of_right + rounding) * (1.0 + 8 * EPSILON)
