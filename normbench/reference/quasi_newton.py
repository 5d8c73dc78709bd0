"""Directions of L-BFGS between tangent spaces, with a metric from the history of the gradients on both of their sides.

Pairs of steps and gradient differences stay as they were in the tangent space of their time; only the direction is
projected onto the present one. The metric stands for the inverse Hessian where the pairs say nothing:
L^(-1/2) V R^(-1/2) with the averages L of G G^T and R of G^T G, the Kronecker product of arXiv 2406.17748.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from normbench.specs.geodesic_lbfgs import WIDE

Vectors = tuple[np.ndarray, ...]

CURVATURE = 1e-6  # of <s, y> / (||s|| ||y||): pairs below it are left out
EVERY = 10  # iterations between two roots, after the first EVERY


class Pair(NamedTuple):
    """A step s, and what it changed in the gradient, y."""

    s: Vectors
    y: Vectors


@dataclass(frozen=True, eq=False)
class Metric:
    """Averages of G G^T and G^T G of every matrix, and the inverse square roots of both.

    Attributes
    ----------
    averages, roots : tuple of pairs of arrays
        A matrix, or its diagonal as a column.
    count : int
        Gradients seen.
    """

    averages: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    roots: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    count: int = 0

    def seen(self, gradient: Vectors, *, decay: float, damping: float) -> "Metric":
        """The metric after one more gradient: L <- decay L + (1 - decay) G G^T; the first is all of it."""
        squares = tuple((square(G), square(G.T)) for G in gradient)
        if self.count:
            averages = tuple(
                (decay * L + (1 - decay) * left, decay * R + (1 - decay) * right)
                for (L, R), (left, right) in zip(self.averages, squares, strict=True)
            )
        else:
            averages = squares
        roots = self.roots
        if self.count <= EVERY or self.count % EVERY == 0:
            roots = tuple((inverse_root(L, damping), inverse_root(R, damping)) for L, R in averages)
        return Metric(averages, roots, self.count + 1)

    def __call__(self, vectors: Vectors) -> Vectors:
        """L^(-1/2) V R^(-1/2)."""
        return tuple(between(L, V, R) for V, (L, R) in zip(vectors, self.roots, strict=True))


def square(G: np.ndarray) -> np.ndarray:
    """G G^T; of a long G with WIDE rows its diagonal, as a column."""
    if len(G) >= WIDE and len(G) > G.shape[1]:
        return (G * G).sum(axis=1, keepdims=True)
    return G @ G.T


def between(L: np.ndarray, V: np.ndarray, R: np.ndarray) -> np.ndarray:
    """L V R, where L and R are matrices or diagonals."""
    V = L * V if is_diagonal(L) else L @ V
    return V * R.T if is_diagonal(R) else V @ R


def is_diagonal(A: np.ndarray) -> bool:
    """True for the diagonal of a matrix, as a column."""
    return A.shape[0] != A.shape[1]


def inverse_root(A: np.ndarray, damping: float) -> np.ndarray:
    """(A + damping tr(A) / n I)^(-1/2), A positive semi-definite; zero where A is zero: what had no gradient rests."""
    if is_diagonal(A):
        mean = A.mean()
        return (A + damping * mean) ** -0.5 if mean else np.zeros_like(A)
    eigenvalues, vectors = np.linalg.eigh(A)
    eigenvalues = np.clip(eigenvalues, 0.0, None)
    mean = eigenvalues.mean()
    if mean == 0.0:
        return np.zeros_like(A)
    return (vectors * (eigenvalues + damping * mean) ** -0.5) @ vectors.T


def inner(a: Vectors, b: Vectors) -> float:
    """<a, b> over all matrices."""
    return float(sum(np.vdot(x, y) for x, y in zip(a, b, strict=True)))


def norm(a: Vectors) -> float:
    """||a|| over all matrices."""
    return float(np.sqrt(inner(a, a)))


def with_pair(pairs: Sequence[Pair], s: Vectors, y: Vectors, *, history: int) -> tuple[Pair, ...]:
    """The newest ``history`` pairs with this one behind them, if the loss curves upwards along it."""
    if inner(s, y) > CURVATURE * norm(s) * norm(y):
        pairs = (*pairs, Pair(s, y))
    return tuple(pairs)[-history:]


def two_loop(gradient: Vectors, pairs: Sequence[Pair], metric: Metric) -> Vectors:
    """Inverse Hessian of L-BFGS times the gradient (Nocedal and Wright, algorithm 7.4), H0 = gamma times the metric.

    gamma = <s, y> / <y, metric y> of the newest pair, 1 without one
    """
    q, weights = gradient, []
    for s, y in reversed(pairs):
        alpha = inner(s, q) / inner(s, y)
        weights.append(alpha)
        q = _added(q, -alpha, y)
    q = metric(q)
    if pairs:
        s, y = pairs[-1]
        gamma = inner(s, y) / inner(y, metric(y))
        q = tuple(gamma * v for v in q)
    for (s, y), alpha in zip(pairs, reversed(weights), strict=True):
        q = _added(q, alpha - inner(y, q) / inner(s, y), s)
    return q


def _added(a: Vectors, factor: float, b: Vectors) -> Vectors:
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))
