"""What float64 proves: positive definiteness by Cholesky, operator norms by it, sums and products as fractions.

The margin is that of S. M. Rump, "Verification of positive definiteness", BIT 46 (2006), after N. J. Higham, "Accuracy
and Stability of Numerical Algorithms", theorem 10.3: where Cholesky's factorisation of a matrix A of size n ends in
floating point, R^T R = A + D with |D| <= g |R|^T |R|, g = (n + 1) u / (1 - (n + 1) u), u = 2^-53, in any order of the
operations. So ||D|| <= g ||R||_F^2 <= g / (1 - g) trace A, and A + c I is positive definite for every c above that.
Here c is twice as large or more, which pays for the roundings of second order and for reciprocals of pivots.
"""

import math
import sys
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

EPSILON = 2.0**-52  # twice the unit roundoff u
UNDERFLOW = sys.float_info.min  # more than an operation whose result is too small for float64 can be wrong by
_SQUARES = 2.0**-300, 2.0**300  # of a norm in between, no square overflows, and none that underflows counts
_WIDEST_EXCESS = 1.0  # an operator norm is proven at twice its estimate if the estimate has one right digit


def positive_definite(matrix: np.ndarray, *, roundings: int = 0, error: float = 0.0, caution: float = 1.0) -> bool:
    """Whether Cholesky's factorisation proves a symmetric matrix positive definite.

    Proven is that every symmetric matrix A + D with |D_ij| <= roundings u |A_ij|, plus any of ||D||_op <= error, has
    positive eigenvalues only. False proves nothing: the matrix may be definite by less than the margin.

    The matrix is scaled first to diagonal entries between 1/2 and 2, by powers of two, which is exact. Then
    (n + roundings + 4) 2u trace is taken off the diagonal: the rounding error of the factorisation (see above), that
    of the entries, whose Frobenius norm is at most the trace if the matrix is definite, and of taking it off.

    Parameters
    ----------
    matrix : array, shape (n, n), float64
        A; only its lower triangle is read.
    roundings : int
        How many operations made each entry, of which each may have rounded once.
    error : float
        Absolute error in operator norm.
    caution : float
        Factor of the margin. What is proven with 2 is proven with 1 on another machine, which rounds otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> positive_definite(np.array([[2.0, 1.0], [1.0, 2.0]])), positive_definite(np.ones((2, 2)))
    (True, False)
    """
    size = len(matrix)
    diagonal = matrix.diagonal() - error * (1.0 + EPSILON)
    if not np.isfinite(matrix).all() or not (diagonal > 0.0).all():
        return False
    scale = np.ldexp(1.0, -(np.frexp(diagonal)[1] // 2))
    with np.errstate(over="ignore", under="ignore"):
        scaled = matrix * scale[:, None] * scale
        pivots = diagonal * scale**2
    pivots = pivots - caution * (size + roundings + 4) * EPSILON * pivots.sum()
    np.fill_diagonal(scaled, pivots)
    if not np.isfinite(scaled).all():
        return False
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(factor).all())


def operator_norm(matrix: np.ndarray, *, error: float = 0.0) -> float:
    """Proven upper bound on the operator norm of every matrix within ``error`` (in operator norm) of this one.

    With n <= k the sides of W and G the Gram matrix of the shorter one, s^2 I - G is proven positive definite by
    Cholesky; G has a rounding error of at most k u ||W||_F^2. The bound is too large by some n (n + k) 2^-50.

    Parameters
    ----------
    matrix : array, shape (fan_out, fan_in), float64
    error : float
        Added.

    Returns
    -------
    float
        0 for a matrix of zeros without error; inf where an entry or the error is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> s = operator_norm(np.array([[3.0, 0.0], [0.0, 4.0]]))
    >>> 4.0 < s < 4.0 + 1e-12
    True
    """
    if not (math.isfinite(error) and np.isfinite(matrix).all()):
        return math.inf
    if not matrix.any():
        return error
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    unit = np.ldexp(matrix, -exponent)
    if len(unit) > unit.shape[1]:
        unit = unit.T
    least, most = unit.shape
    gram = unit @ unit.T
    estimate = math.sqrt(np.linalg.eigvalsh(gram)[-1])
    trace = float(gram.trace())
    excess = 4 * (least + most + 8) * least * EPSILON
    while excess <= _WIDEST_EXCESS:
        norm = estimate * (1.0 + excess)
        formation = EPSILON * ((most + 4) * trace + 4 * norm**2)
        if positive_definite(norm**2 * np.eye(least) - gram, error=formation):
            return _ldexp_up(norm, exponent) + error * (1.0 + EPSILON)
        excess *= 4
    return _ldexp_up(math.sqrt(trace * (1.0 + (least + most) * EPSILON)), exponent) + error * (1.0 + EPSILON)


def frobenius_norm(matrix: np.ndarray) -> float:
    """Frobenius norm to some size u of its size, however small or large the entries are; inf if one is not finite.

    The squares of entries below 1e-162 are 0 in float64, and those of entries above 1e154 inf.

    Examples
    --------
    >>> frobenius_norm(np.array([[3e-200, 4e-200]]))
    5e-200
    """
    if not np.isfinite(matrix).all():
        return math.inf
    with np.errstate(over="ignore", under="ignore"):
        norm = float(np.linalg.norm(matrix))
    if _SQUARES[0] < norm < _SQUARES[1] or not matrix.any():
        return norm
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    return _ldexp_up(float(np.linalg.norm(np.ldexp(matrix, -exponent))), exponent)


def exact_product(norms: Iterable[float]) -> Fraction | float:
    """Of norms as they are, without any rounding; inf where one is."""
    found = list(norms)
    return math.inf if math.inf in found else math.prod(map(Fraction, found), start=Fraction(1))


def _ldexp_up(value: float, exponent: int) -> float:
    if -1000 < exponent < 1000 and value < 2.0**20:  # no rounding for values of about 1
        return math.ldexp(value, exponent)
    return rounded_up(Fraction(value) * Fraction(2) ** exponent)


def with_slack(bound: float) -> float:
    """The bound raised by a part of 2^-33, about 1e-10, so that it is proven under the roundings of other machines."""
    return bound * (1.0 + 2.0**-33)


def rounded_up(value: Fraction | float) -> float:
    """The smallest float64 that is not below; inf beyond the largest, and of inf."""
    if value == math.inf:
        return math.inf
    try:
        nearest = float(value)
    except OverflowError:
        return math.inf
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def rounded_down(value: Fraction) -> float:
    """The largest float64 that is not above, of a value that is not negative."""
    try:
        nearest = float(value)
    except OverflowError:
        return float(np.finfo(np.float64).max)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)
