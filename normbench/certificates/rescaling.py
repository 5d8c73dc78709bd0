"""Function-preserving rescaling of the neurons, chosen so that the product of operator norms is smallest.

Diagonal D_k > 0 commute with slopes on the diagonal, and with swaps of units of equal scale, so that

    min over D  prod_k ||D_k W_k D_{k-1}^-1||_op,      D_0 = D_m = I,

bounds the network. The minimum is that of a linear program over positive definite matrices, which the barrier method of
:mod:`normbench.certificates.barrier` solves. With Q_k = D_k^2 / prod_{j <= k} ||D_j W_j D_{j-1}^-1||^2 times the square
of the whole product, the norms drop out:

    minimise r  such that  S_k = Q_{k-1} - W_k^T Q_k W_k >= 0,   k = 1..m,   Q_0 = r I, Q_m = I, Q_k diagonal.

S_k ties neighbouring layers only, so that the Hessian is block tridiagonal, and a step costs sum n_k^3.
"""

import math
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from normbench.certificates import barrier
from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain
from normbench.certificates.rounding import (
    EPSILON,
    UNDERFLOW,
    exact_product,
    frobenius_norm,
    operator_norm,
    with_slack,
)
from normbench.errors import CertificateError

KIND = "rescaled"
_SWEEPS = 12


def rescaling(network: Plain, *, deadline: float = math.inf, tolerance: float = barrier.TOLERANCE) -> Certificate:
    """The smallest product over all rescalings. The witness ``scales`` is the diagonal of D_k for every hidden layer.

    Parameters
    ----------
    network : Plain
        Not constant.
    deadline : float
        Of ``time.perf_counter()``, in seconds; the best found until then is returned.
    tolerance : float
        Gap at which the search ends.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> f = [np.array([[1.0], [10.0]]), np.array([[10.0, 1.0]])]
    >>> round(rescaling(plain(f)).bound, 4)  # the product is 101
    20.0
    """
    start = time.perf_counter()
    first = balanced(network)
    program = _Program(rescaled_weights(network.weights, first), network.together)
    found = barrier.minimise(program, program.start(), tolerance=2 * tolerance, deadline=deadline)
    squares = program.expanded(found.x[1:])
    scales = tuple(one * np.sqrt(square) for one, square in zip(first, squares, strict=True))
    full = network.for_every_unit(scales, idle=1.0)
    bound = with_slack(proven(network, full))
    gap = found.gap_of(bound, network.bound(program.value(found.dual)))
    return Certificate(KIND, bound, {"scales": full}, found.status, gap, time.perf_counter() - start)


def proven(network: Plain, scales: Sequence[np.ndarray]) -> float:
    """The product under these scales, rounded up."""
    pairs = zip(*rescaled(network, scales), strict=True)
    return network.bound(exact_product(operator_norm(w, error=e) for w, e in pairs))


def rescaled(network: Plain, scales: Sequence[np.ndarray]) -> tuple[tuple[np.ndarray, ...], list[float]]:
    """D_k W_k D_{k-1}^-1, and bounds on how far each is from it in operator norm.

    Raises
    ------
    CertificateError
        If the scales are not positive, do not fit the network, or differ within units that its activation mixes.
    """
    shapes = [np.shape(scale) for scale in scales]
    wanted = [kept.shape for kept in network.kept]
    if shapes != wanted:
        raise CertificateError(f"the scales have shapes {shapes}; the network's hidden layers need {wanted}.")
    for layer, (scale, kept) in enumerate(zip(scales, network.kept, strict=True)):
        mine = np.asarray(scale, dtype=np.float64)
        if not (np.isfinite(mine).all() and (mine[kept] > 0.0).all()):
            raise CertificateError(f"scales {layer} must be positive and finite.")
        first = mine[:: network.together]
        if network.together > 1 and not np.array_equal(np.repeat(first, network.together)[: len(mine)], mine):
            raise CertificateError(f"scales {layer} must be equal within each pair of units of maxmin.")
    used = network.in_use([np.asarray(scale, np.float64) for scale in scales])
    found = rescaled_weights(network.weights, used)
    if not all(np.isfinite(weight).all() for weight in found):
        raise CertificateError("the scales are too far apart: a rescaled weight is beyond float64.")
    # two roundings an entry; underflow behind the division, and before it, which may make it large
    least = [1.0, *(float(scale.min()) for scale in used)]
    with np.errstate(over="ignore"):
        errors = [
            2 * EPSILON * frobenius_norm(w) + w.size * (UNDERFLOW + np.divide(UNDERFLOW, before))
            for w, before in zip(found, least, strict=True)
        ]
    return found, errors


def rescaled_weights(weights: Sequence[np.ndarray], scales: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """D_k W_k D_{k-1}^-1 for diagonals D_1, ..., D_{m-1}, in float64."""
    ones = np.ones(weights[0].shape[1]), np.ones(len(weights[-1]))
    padded = [ones[0], *scales, ones[1]]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return tuple(after[:, None] * w / before for w, before, after in zip(weights, padded, padded[1:], strict=False))


def balanced(network: Plain) -> tuple[np.ndarray, ...]:
    """Scales that bring the rows and columns of each neuron to like shares of their matrices' Frobenius norms."""
    weights = list(network.weights)
    scales = [np.ones(len(weight)) for weight in weights[:-1]]
    for _ in range(_SWEEPS):
        for k, scale in enumerate(scales):
            rows = _sizes(weights[k], network.together)
            columns = _sizes(weights[k + 1].T, network.together)
            step = np.sqrt(columns / rows) * math.sqrt(np.linalg.norm(rows) / np.linalg.norm(columns))
            scale *= step
            weights[k] = weights[k] * step[:, None]
            weights[k + 1] = weights[k + 1] / step
    return tuple(scales)


def _sizes(weight: np.ndarray, together: int) -> np.ndarray:
    """Norm of the rows of each group of neighbours, one entry for every row; none is zero."""
    groups = np.arange(len(weight)) // together
    return np.sqrt(np.bincount(groups, np.square(weight).sum(axis=1)))[groups]


class _Program:
    """The program over S_1, ..., S_m for weights divided by their operator norms; x = (r, q_1, ..., q_{m-1})."""

    def __init__(self, weights: Sequence[np.ndarray], together: int) -> None:
        norms = [float(np.linalg.norm(weight, 2)) for weight in weights]
        units = [weight / norm for weight, norm in zip(weights, norms, strict=True)]
        self._norms = norms
        self._weights = (barrier.narrowed(units[0]), *units[1:])
        self._starts = [np.arange(0, len(weight), together) for weight in weights[:-1]]
        self._groups = [np.arange(len(weight)) // together for weight in weights[:-1]]
        self._cuts = np.cumsum([len(starts) for starts in self._starts])[:-1]
        self.order = sum(weight.shape[1] for weight in self._weights)

    def start(self) -> np.ndarray:
        """Q_k = c^(m-k) I."""
        return barrier.well_inside([1, *(len(starts) for starts in self._starts)])

    def expanded(self, q: np.ndarray) -> list[np.ndarray]:
        """q_k, one entry for every unit."""
        parts = np.split(q, self._cuts) if self._groups else []
        return [part[groups] for part, groups in zip(parts, self._groups, strict=True)]

    def value(self, r: float) -> Fraction:
        """The product of norms that belongs to r."""
        return Fraction(math.sqrt(max(r, 0.0))) * math.prod(map(Fraction, self._norms), start=Fraction(1))

    def matrices(self, x: np.ndarray) -> list[np.ndarray]:
        """S_1, ..., S_m."""
        q = self.expanded(x[1:])
        inner = [np.full(self._weights[0].shape[1], x[0]), *q]
        outer = [*q, np.ones(len(self._weights[-1]))]
        return [np.diag(i) - (w * o[:, None]).T @ w for i, o, w in zip(inner, outer, self._weights, strict=True)]

    def potential(self, x: np.ndarray) -> float:
        """-sum log det S_k; inf outside."""
        return sum(barrier.minus_log_det(matrix) for matrix in self.matrices(x)) if (x > 0.0).all() else math.inf

    def derivatives(self, x: np.ndarray) -> tuple[np.ndarray, barrier.Hessian]:
        """Gradient and Hessian of the barrier, with P_k = S_k^-1.

        d/dq_k: diag(W_k P_k W_k^T) - diag P_{k+1};  d2/dq_k^2: (W_k P_k W_k^T)^o2 + P_{k+1}^o2;
        d2/dq_k dq_{k-1}: -(W_k P_k)^o2, where ^o2 squares entry by entry.
        """
        inverses = [barrier.inverse(matrix) for matrix in self.matrices(x)]
        reaches = [w @ p for w, p in zip(self._weights, inverses, strict=True)]
        gradient = [np.array([-inverses[0].trace()])]
        diagonal = [np.array([[np.sum(inverses[0] ** 2)]])]
        below = []
        for k in range(len(self._starts)):
            through = reaches[k] @ self._weights[k].T
            gradient.append(self._summed(through.diagonal() - inverses[k + 1].diagonal(), k, 0))
            square = through**2 + inverses[k + 1] ** 2
            diagonal.append(self._summed(self._summed(square, k, 0), k, 1))
            cross = self._summed(-(reaches[k] ** 2), k, 0)
            below.append(self._summed(cross, k - 1, 1) if k else cross.sum(axis=1, keepdims=True))
        return np.concatenate(gradient), barrier.BlockTridiagonal(diagonal, below)

    def _summed(self, values: np.ndarray, layer: int, axis: int) -> np.ndarray:
        """Entries of units with one scale, added up."""
        starts = self._starts[layer]
        return values if len(starts) == values.shape[axis] else np.add.reduceat(values, starts, axis=axis)
