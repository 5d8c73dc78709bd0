"""Newton's method for linear programs over positive definite matrices, by their logarithmic barrier.

minimise x_0  such that  M(x) = M_0 + sum_i x_i M_i  is positive definite.

At t > 0 the centre is the minimum of t x_0 + F(x), F = -log det M. F is self-concordant (Y. Nesterov, A. Nemirovskii,
"Interior-Point Polynomial Algorithms in Convex Programming", 1994), so that a step of length 1 / (1 + decrement) along
Newton's direction stays inside and goes down, from any point inside: the method needs no luck with its line search.

Newton's direction d also gives a dual point, Z = (M^-1 - M^-1 (sum_i d_i M_i) M^-1) / t. It meets the dual's equations,
<M_0i, Z> = [i = 0], and is positive definite where the decrement is below 1. So the least x_0 there is lies above

    x_0 - <M, Z> = x_0 - (n + <F', d>) / t,      n = the size of M,

which is how a value is shown to be close to the best.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import lapack

from normbench.certificates.certificate import Status

TOLERANCE = 1e-6  # of the gap of a bound at which its search ends, as a part of the bound
_CENTRED = 0.5  # decrement below which t grows
_GROWTH = 5.0  # of 3 to 100, the fewest steps on five networks: longer ones end close to the boundary
_MOST_STEPS = 2000


class Hessian(Protocol):
    """A positive definite matrix."""

    def solve(self, right: np.ndarray) -> np.ndarray:
        """H^-1 right, shape (n, columns)."""

    def apply(self, vector: np.ndarray) -> np.ndarray:
        """H vector."""


class Program(Protocol):
    """What :func:`minimise` asks of a program; ``order`` is the size n of its matrix."""

    order: int

    def potential(self, x: np.ndarray) -> float:
        """F; inf where M(x) is not positive definite."""

    def derivatives(self, x: np.ndarray) -> tuple[np.ndarray, Hessian]:
        """Gradient and Hessian of F."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A point inside, what is known about the best one, and how many steps it took.

    Attributes
    ----------
    x : array
    dual : float
        The least x_0 is not below, up to rounding.
    status : Status
        Never CLOSED_FORM.
    steps : int
    """

    x: np.ndarray
    dual: float
    status: Status
    steps: int

    @property
    def gap(self) -> float:
        """Part of x_0 that lies above ``dual``; x_0 is positive."""
        return 1.0 - self.dual / float(self.x[0])

    def gap_of(self, bound: float, dual: float) -> float:
        """The same of a bound, whose square x_0 is in some scale, and its dual; from x_0 where it is 0 or inf."""
        return max(0.0, 1.0 - dual / bound) if 0.0 < bound < math.inf else self.gap / 2


def well_inside(sizes: Sequence[int]) -> np.ndarray:
    """x = (c^m, c^(m-1), ..., c), c = 1 + 1 / m, each entry as often as its size says.

    As scales or multipliers of layers with weights of norm 1 it lies inside both programs of this folder.
    """
    layers = len(sizes)
    base = 1.0 + 1.0 / layers
    return np.concatenate([np.full(size, base ** (layers - k)) for k, size in enumerate(sizes)])


def minimise(program: Program, x: np.ndarray, *, tolerance: float, deadline: float = math.inf) -> Solution:
    """Follow the centres until x_0 is within ``tolerance`` (relative) of its dual, or ``deadline`` is over.

    Parameters
    ----------
    program : Program
        With a positive minimum.
    x : array
        Strictly inside.
    tolerance : float
    deadline : float
        Of ``time.perf_counter()``, in seconds.
    """
    t, dual = program.order / float(x[0]), 0.0
    first = np.zeros_like(x)
    first[0] = 1.0
    status = Status.STALLED
    for steps in range(1, _MOST_STEPS + 1):  # noqa: B007
        try:
            gradient, hessian = program.derivatives(x)
            pull, push = hessian.solve(np.stack([first, gradient], axis=1)).T  # d = -t pull - push
        except np.linalg.LinAlgError:
            break
        line = _Line(t, first, gradient, pull, push)
        if line.decrement < 1.0:
            dual = max(dual, line.dual(program.order, x, hessian))
        if x[0] - dual <= tolerance * x[0]:
            status = Status.OPTIMAL
            break
        if time.perf_counter() > deadline:
            status = Status.TIME_LIMIT
            break
        if line.decrement < _CENTRED:
            t *= _GROWTH
            line = _Line(t, first, gradient, pull, push)
        moved = _stepped(program, x, t, line)
        if moved is None:
            break
        x = moved
    return Solution(x, dual, status, steps)


class _Line:
    """Newton's direction at one t, with its decrement."""

    def __init__(self, t: float, first: np.ndarray, gradient: np.ndarray, pull: np.ndarray, push: np.ndarray) -> None:
        self.t = t
        self.slope = t * first + gradient
        self.gradient = gradient
        self.direction = -t * pull - push
        self.decrement = math.sqrt(max(-float(self.slope @ self.direction), 0.0))

    def dual(self, order: int, x: np.ndarray, hessian: Hessian) -> float:
        """Lower bound on the least x_0; what the solution of Newton's equations lacks is charged to it."""
        missing = np.abs(hessian.apply(self.direction) + self.slope) @ np.abs(x)
        return float(x[0]) - (order + float(self.gradient @ self.direction) + 2.0 * float(missing)) / self.t


def _stepped(program: Program, x: np.ndarray, t: float, line: _Line) -> np.ndarray | None:
    """A lower point along the line, the lowest of lengths a factor 2 apart; None if rounding leaves none.

    A factorisation is cheap beside a Hessian, and lengths far above 1 pay where units are coupled weakly: there the
    barrier is a logarithm of a multiplier, whose Newton steps double it at best.
    """

    def value(length: float) -> float:
        there = x + length * line.direction
        return t * float(there[0]) + program.potential(there)

    safe = 1.0 / (1.0 + line.decrement)
    length = min(1.0, 4.0 * safe)
    here, best = t * float(x[0]) + program.potential(x), value(length)
    if best < here:
        while (longer := value(2.0 * length)) < best:
            length, best = 2.0 * length, longer
    while best > here - 0.1 * length * line.decrement**2 and length > safe:
        length = max(0.5 * length, safe)
        best = value(length)
    return x + length * line.direction if best < here else None


class Dense:
    """A Hessian as one matrix, scaled to a unit diagonal before it is factorised."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._matrix = matrix
        self._scale = 1.0 / np.sqrt(matrix.diagonal())
        self._factor = _cholesky(matrix * self._scale * self._scale[:, None])

    def solve(self, right: np.ndarray) -> np.ndarray:
        """H^-1 right."""
        scale = self._scale[:, None]
        return scale * lapack.dpotrs(self._factor, scale * right, lower=1)[0]

    def apply(self, vector: np.ndarray) -> np.ndarray:
        """H vector."""
        return self._matrix @ vector


class BlockTridiagonal:
    """A Hessian of blocks on the diagonal and one below it; Cholesky goes block by block."""

    def __init__(self, diagonal: Sequence[np.ndarray], below: Sequence[np.ndarray]) -> None:
        self._diagonal, self._below = diagonal, below
        self._cuts = np.cumsum([len(block) for block in diagonal])[:-1]
        self._factors: list[np.ndarray] = []
        self._links: list[np.ndarray] = []
        pivot = diagonal[0]
        for k in range(len(diagonal)):
            factor = _cholesky(pivot)
            self._factors.append(factor)
            if k < len(below):
                link = lapack.dtrtrs(factor, below[k].T, lower=1)[0].T
                self._links.append(link)
                pivot = diagonal[k + 1] - link @ link.T

    def solve(self, right: np.ndarray) -> np.ndarray:
        """H^-1 right."""
        parts = np.split(right, self._cuts)
        for k, factor in enumerate(self._factors):
            rest = parts[k] - self._links[k - 1] @ parts[k - 1] if k else parts[k]
            parts[k] = lapack.dtrtrs(factor, rest, lower=1)[0]
        for k in range(len(parts) - 1, -1, -1):
            rest = parts[k] - self._links[k].T @ parts[k + 1] if k < len(self._links) else parts[k]
            parts[k] = lapack.dtrtrs(self._factors[k], rest, lower=1, trans=1)[0]
        return np.concatenate(parts)

    def apply(self, vector: np.ndarray) -> np.ndarray:
        """H vector."""
        parts = np.split(vector, self._cuts)
        found = [block @ part for block, part in zip(self._diagonal, parts, strict=True)]
        for k, link in enumerate(self._below):
            found[k + 1] = found[k + 1] + link @ parts[k]
            found[k] = found[k] + link.T @ parts[k + 1]
        return np.concatenate(found)


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """The factor in the lower triangle, with anything above it. LAPACK directly: small matrices live by the overhead.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite.
    """
    factor, failed = lapack.dpotrf(matrix, lower=1, clean=0)
    if failed or not np.isfinite(factor[-1, -1]):  # NaN passes dpotrf's test
        raise np.linalg.LinAlgError("not positive definite")
    return factor


def minus_log_det(matrix: np.ndarray) -> float:
    """-log det of a symmetric matrix, of which the lower triangle is read; inf if it is not positive definite."""
    try:
        return -2.0 * float(np.log(_cholesky(matrix).diagonal()).sum())
    except np.linalg.LinAlgError:
        return math.inf


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a positive definite matrix, of which the lower triangle is read; symmetric to the last bit.

    Raises
    ------
    numpy.linalg.LinAlgError
        If Cholesky's factorisation fails.
    """
    lower, failed = lapack.dpotri(_cholesky(matrix), lower=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    strict = np.tril(lower, -1)
    strict += strict.T
    np.fill_diagonal(strict, lower.diagonal())
    return strict


def narrowed(weight: np.ndarray) -> np.ndarray:
    """A matrix with the same W W^T and no more columns than rows: its inputs turned, those without effect cut off."""
    if weight.shape[1] <= len(weight):
        return weight
    return np.linalg.qr(weight.T)[1].T
