"""Directions of L-BFGS between tangent spaces in JAX, with a metric from both sides of the history of the gradients.

All vectors are flat, with the entries of every matrix behind one another; pairs lie in buffers of fixed size.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from normbench.jax.products import inner, matmul
from normbench.jax.updates.decompositions import eigh
from normbench.specs.geodesic_lbfgs import WIDE

Arrays = tuple[Array, ...]
Sides = tuple[tuple[Array, Array], ...]

CURVATURE = 1e-6  # of <s, y> / (||s|| ||y||): pairs below it are left out
EVERY = 10  # iterations between two roots, after the first EVERY
LONG = 2**17  # entries of vectors whose pairs no cache holds


def flat(vectors: Sequence[Array]) -> Array:
    """All entries in one vector."""
    return jnp.concatenate([v.ravel() for v in vectors])


def parted(vector: Array, like: Sequence[Array]) -> Arrays:
    """The matrices of a flat vector."""
    parts, start = [], 0
    for v in like:
        parts.append(vector[start : start + v.size].reshape(v.shape))
        start += v.size
    return tuple(parts)


class Memory(NamedTuple):
    """Steps s and gradient differences y, shape (history, entries), and <s, y> of each; how many there were.

    The pairs go round: number k, counted from 0, lies in row k mod history. Of LONG vectors the products <s_i, y_j>
    are kept, where i is not newer than j; of others they are None.
    """

    s: Array
    y: Array
    curvature: Array
    count: Array
    products: Array | None = None

    @classmethod
    def empty(cls, history: int, like: Array) -> "Memory":
        """No pairs."""
        buffer = jnp.zeros((history, like.size), like.dtype)
        products = jnp.zeros((history, history), like.dtype) if like.size >= LONG else None
        return cls(buffer, buffer, buffer[:, 0], jnp.zeros((), jnp.int32), products)

    def with_pair(self, s: Array, y: Array, known: Array) -> "Memory":
        """With this pair as the newest, if it is ``known`` and the loss curves upwards along it."""
        curvature = inner(s, y)
        keeps = known & (curvature > CURVATURE * jnp.sqrt(inner(s, s)) * jnp.sqrt(inner(y, y)))
        row = self.row(self.count)

        def put(rows: Array, value: Array) -> Array:  # of one row alone, so that no buffer is copied
            return rows.at[row].set(jnp.where(keeps, value, rows[row]))

        S, products = put(self.s, s), self.products
        if products is not None:
            products = put(products.T, matmul(S, y)).T
        return Memory(S, put(self.y, y), put(self.curvature, curvature), self.count + keeps, products)

    def row(self, k: Array) -> Array:
        """Where pair k lies."""
        return k % len(self.s)

    @property
    def kept(self) -> Array:
        """How many there are."""
        return jnp.minimum(self.count, len(self.s))


class Metric(NamedTuple):
    """Averages of G G^T and G^T G of every matrix, the inverse square roots of both, and the number of gradients.

    Each is a matrix, or its diagonal as a column.
    """

    averages: Sides
    roots: Sides
    count: Array

    @classmethod
    def empty(cls, like: Sequence[Array]) -> "Metric":
        """Nothing seen."""
        sides = tuple((jnp.zeros_like(square(v)), jnp.zeros_like(square(v.T))) for v in like)
        return cls(sides, sides, jnp.zeros((), jnp.int32))

    def seen(self, gradient: Sequence[Array], *, decay: Array, damping: Array) -> "Metric":
        """The metric after one more gradient: L <- decay L + (1 - decay) G G^T; the first is all of it."""
        old = jnp.where(self.count > 0, decay, 0)
        averages = tuple(
            (old * L + (1 - old) * square(G), old * R + (1 - old) * square(G.T))
            for (L, R), G in zip(self.averages, gradient, strict=True)
        )

        def renewed() -> Sides:
            return tuple((inverse_root(L, damping), inverse_root(R, damping)) for L, R in averages)

        roots = jax.lax.cond(is_due(self.count), renewed, lambda: self.roots)
        return Metric(averages, roots, self.count + 1)

    @property
    def fresh(self) -> Array:
        """Whether the last gradient made the roots anew."""
        return is_due(self.count - 1)

    def __call__(self, vectors: Sequence[Array]) -> Arrays:
        """L^(-1/2) V R^(-1/2)."""
        return tuple(between(L, V, R) for V, (L, R) in zip(vectors, self.roots, strict=True))


def is_due(count: Array) -> Array:
    """Whether the gradient behind so many others makes the roots anew."""
    return (count <= EVERY) | (count % EVERY == 0)


def square(G: Array) -> Array:
    """G G^T; of a long G with WIDE rows its diagonal, as a column."""
    if len(G) >= WIDE and len(G) > G.shape[1]:
        return (G * G).sum(axis=1, keepdims=True)
    return matmul(G, G.T)


def between(L: Array, V: Array, R: Array) -> Array:
    """L V R, where L and R are matrices or diagonals."""
    V = L * V if is_diagonal(L) else matmul(L, V)
    return V * R.T if is_diagonal(R) else matmul(V, R)


def is_diagonal(A: Array) -> bool:
    """True for the diagonal of a matrix, as a column."""
    return A.shape[0] != A.shape[1]


def inverse_root(A: Array, damping: Array) -> Array:
    """(A + damping tr(A) / n I)^(-1/2), A positive semi-definite; zero where A is zero: what had no gradient rests."""
    if is_diagonal(A):
        mean = A.mean()
        return jnp.where(mean == 0, 0, jnp.where(mean == 0, 1, A + damping * mean) ** -0.5)
    eigenvalues, vectors = eigh(A)
    eigenvalues = jnp.maximum(eigenvalues, 0)
    mean = eigenvalues.mean()
    damped = jnp.where(mean == 0, 1, eigenvalues + damping * mean)
    return jnp.where(mean == 0, 0, matmul(vectors * damped**-0.5, vectors.T))


def two_loop(gradient: Array, memory: Memory, metric: Callable[[Array], Array]) -> Array:
    """Inverse Hessian of L-BFGS times the gradient (Nocedal and Wright, algorithm 7.4), H0 = gamma times the metric.

    gamma = <s, y> / <y, metric y> of the newest pair, 1 without one
    """
    newest = memory.row(memory.count - 1)
    length = inner(memory.y[newest], metric(memory.y[newest]))
    gamma = jnp.where(memory.count > 0, memory.curvature[newest] / jnp.where(length > 0, length, 1), 1)
    if memory.products is None:
        return _one_by_one(gradient, memory, lambda q: gamma * metric(q))
    return _at_once(gradient, memory, memory.products, lambda q: gamma * metric(q))


def _one_by_one(gradient: Array, memory: Memory, initial: Callable[[Array], Array]) -> Array:
    """Both loops, pair by pair."""
    S, Y, curvature, count, _ = memory

    def down(i: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        q, alphas = now
        row = memory.row(count - 1 - i)
        alpha = inner(S[row], q) / curvature[row]
        return q - alpha * Y[row], alphas.at[row].set(alpha)

    def up(i: Array, q: Array) -> Array:
        row = memory.row(count - memory.kept + i)
        return q + (alphas[row] - inner(Y[row], q) / curvature[row]) * S[row]

    q, alphas = jax.lax.fori_loop(0, memory.kept, down, (gradient, jnp.zeros_like(curvature)))
    return jax.lax.fori_loop(0, memory.kept, up, initial(q))


def _at_once(gradient: Array, memory: Memory, products: Array, initial: Callable[[Array], Array]) -> Array:
    """The same with four passes over the pairs: each loop is a system of equations.

    U alpha = S q, then U^T beta = diag(U) alpha - Y q, with the upper triangle U of the <s_i, y_j>, oldest first
    """
    ages = jnp.arange(len(memory.s))
    order, there = memory.row(memory.count - memory.kept + ages), ages < memory.kept
    U = jnp.where(there[:, None] & there, products[order][:, order], jnp.eye(len(ages), dtype=gradient.dtype))

    def placed(factors: Array) -> Array:
        return jnp.zeros_like(factors).at[order].set(jnp.where(there, factors, 0))

    alpha = solve_triangular(U, jnp.where(there, matmul(memory.s, gradient)[order], 0))
    q = initial(gradient - matmul(placed(alpha), memory.y))
    beta = solve_triangular(U, jnp.where(there, jnp.diagonal(U) * alpha - matmul(memory.y, q)[order], 0), trans="T")
    return q + matmul(placed(beta), memory.s)
