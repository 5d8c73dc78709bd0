"""Directions of L-BFGS between tangent spaces in torch, with a metric from both sides of the history of the gradients.

All vectors of pairs are flat, with the entries of every matrix behind one another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.specs.geodesic_lbfgs import WIDE

CURVATURE = 1e-6  # of <s, y> / (||s|| ||y||): pairs below it are left out
EVERY = 10  # iterations between two roots, after the first EVERY
LONG = 2**17  # entries of vectors whose pairs no cache holds


def flat(vectors: Sequence[Tensor]) -> Tensor:
    """All entries in one vector."""
    return torch.cat([v.reshape(-1) for v in vectors])


def parted(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The matrices of a flat vector."""
    parts = vector.split([v.numel() for v in like])
    return [part.view(v.shape) for part, v in zip(parts, like, strict=True)]


class Pair(NamedTuple):
    """A step s, what it changed in the gradient, y, and <s, y>."""

    s: Tensor
    y: Tensor
    curvature: float


def with_pair(pairs: Sequence[Pair], s: Tensor, y: Tensor, *, history: int) -> tuple[Pair, ...]:
    """The newest ``history`` pairs with this one behind them, if the loss curves upwards along it."""
    curvature, steps, changes = torch.stack([s @ y, s @ s, y @ y]).tolist()
    if curvature > CURVATURE * math.sqrt(steps) * math.sqrt(changes):
        pairs = (*pairs, Pair(s, y, curvature))
    return tuple(pairs)[-history:]


class Rows(NamedTuple):
    """Pairs as the rows of two matrices S and Y, with <s_i, y_j>, i <= j, oldest first.

    ``order`` says in which row each pair is, oldest first, where that is not their order; below the diagonal of the
    products stands nothing that is to be used.
    """

    S: Tensor
    Y: Tensor
    products: Tensor
    order: Tensor | None = None

    def of(self, matrix: Tensor, vector: Tensor) -> Tensor:
        """The products of the rows of S or Y with a vector, shape (pairs, 1), oldest first."""
        found = matrix @ vector
        return (found if self.order is None else found[self.order])[:, None]

    def sum(self, matrix: Tensor, factors: Tensor) -> Tensor:
        """The rows of S or Y, each times its factor of shape (pairs, 1), oldest first."""
        if self.order is None:
            return factors[:, 0] @ matrix
        return matrix.new_zeros(len(matrix)).index_put_((self.order,), factors[:, 0]) @ matrix


class PairRows:
    """Where pairs stand as rows: memory that is kept, for of a wide network fresh memory costs more than products.

    Of vectors that are LONG a pass over all pairs is what counts, so that each stays in its row until it is given up,
    and its products with the older ones are made once.
    """

    def __init__(self) -> None:
        self._S = self._Y = self._products = torch.empty((0, 0))
        self._held: list[Pair | None] = []

    def __call__(self, pairs: Sequence[Pair]) -> Rows:
        """The rows; they stand there until the next call."""
        if len(pairs[0].s) < LONG:
            return self._stacked(pairs)
        self._make_room(pairs)
        rows = {id(pair.s): row for row, pair in enumerate(self._held) if pair is not None}
        known = next((k for k, pair in enumerate(pairs) if id(pair.s) not in rows), len(pairs))
        order = [rows[id(pair.s)] for pair in pairs[:known]]
        free = iter(sorted(set(range(len(self._held))) - set(order)))
        for pair in pairs[known:]:
            order.append(next(free))
            self._put(pair, order[-1])
        self._held = [pair if row in order else None for row, pair in enumerate(self._held)]
        used = max(order) + 1
        places = torch.tensor(order, device=self._S.device)
        return Rows(self._S[:used], self._Y[:used], self._products[places][:, places], places)

    def _put(self, pair: Pair, row: int) -> None:
        """Into a row, with its products with all that stand there."""
        self._held[row] = pair
        self._S[row], self._Y[row] = pair.s, pair.y
        self._products[:, row] = self._S @ pair.y

    def _make_room(self, pairs: Sequence[Pair]) -> None:
        """Rows for all of them; where there are too few, or of another kind, twice as many, and all are put anew."""
        first, kept = pairs[0].s, self._S
        if len(pairs) <= len(kept) and _alike(kept[0], first):
            return
        count = max(len(pairs), 2 * len(kept) if len(kept) and _alike(kept[0], first) else 0)
        self._S, self._Y = first.new_zeros((count, len(first))), first.new_zeros((count, len(first)))
        self._products = first.new_zeros((count, count))
        self._held = [None] * count

    def _stacked(self, pairs: Sequence[Pair]) -> Rows:
        first, shape = pairs[0].s, (len(pairs), len(pairs[0].s))
        if self._S.shape != shape or not _alike(self._S[0], first):
            self._S, self._Y = first.new_empty(shape), first.new_empty(shape)
        S = torch.stack([pair.s for pair in pairs], out=self._S)
        Y = torch.stack([pair.y for pair in pairs], out=self._Y)
        return Rows(S, Y, S @ Y.T)


def _alike(a: Tensor, b: Tensor) -> bool:
    return (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)


@dataclass(frozen=True, eq=False)
class Metric:
    """Averages of G G^T and G^T G of every matrix, the inverse square roots of both, and the number of gradients.

    Each is a matrix, or its diagonal as a column.
    """

    averages: tuple[tuple[Tensor, Tensor], ...] = ()
    roots: tuple[tuple[Tensor, Tensor], ...] = ()
    count: int = 0

    def seen(self, gradient: Sequence[Tensor], *, decay: float, damping: float) -> "Metric":
        """The metric after one more gradient: L <- decay L + (1 - decay) G G^T; the first is all of it."""
        if self.count:
            averages = tuple(
                (averaged(L, G, decay), averaged(R, G.T, decay))
                for (L, R), G in zip(self.averages, gradient, strict=True)
            )
        else:
            averages = tuple((square(G), square(G.T)) for G in gradient)
        roots = self.roots
        if is_due(self.count):
            roots = tuple((inverse_root(L, damping), inverse_root(R, damping)) for L, R in averages)
        return Metric(averages, roots, self.count + 1)

    @property
    def fresh(self) -> bool:
        """Whether the last gradient made the roots anew."""
        return is_due(self.count - 1)

    def __call__(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """L^(-1/2) V R^(-1/2)."""
        return [between(L, V, R) for V, (L, R) in zip(vectors, self.roots, strict=True)]


def is_due(count: int) -> bool:
    """Whether the gradient behind so many others makes the roots anew."""
    return count <= EVERY or count % EVERY == 0


def square(G: Tensor) -> Tensor:
    """G G^T; of a long G with WIDE rows its diagonal, as a column."""
    return diagonal_of_square(G) if len(G) >= WIDE and len(G) > G.shape[1] else G @ G.T


def diagonal_of_square(G: Tensor) -> Tensor:
    """The diagonal of G G^T, as a column."""
    return torch.linalg.vecdot(G, G).unsqueeze(1)


def averaged(A: Tensor, G: Tensor, decay: float) -> Tensor:
    """decay A + (1 - decay) G G^T, of which A may be the diagonal."""
    if is_diagonal(A):
        return torch.add(decay * A, diagonal_of_square(G), alpha=1 - decay)
    return torch.addmm(A, G, G.T, beta=decay, alpha=1 - decay)


def between(L: Tensor, V: Tensor, R: Tensor) -> Tensor:
    """L V R, where L and R are matrices or diagonals."""
    V = L * V if is_diagonal(L) else L @ V
    return V * R.T if is_diagonal(R) else V @ R


def is_diagonal(A: Tensor) -> bool:
    """True for the diagonal of a matrix, as a column."""
    return A.shape[0] != A.shape[1]


def inverse_root(A: Tensor, damping: float) -> Tensor:
    """(A + damping tr(A) / n I)^(-1/2), A positive semi-definite; zero where A is zero: what had no gradient rests."""
    if is_diagonal(A):
        damped = A + damping * A.mean()
        return torch.where(damped > 0, damped**-0.5, 0)
    eigenvalues, vectors = torch.linalg.eigh(A)
    eigenvalues = eigenvalues.clamp(min=0)
    damped = eigenvalues + damping * eigenvalues.mean()
    return (vectors * torch.where(damped > 0, damped**-0.5, 0)) @ vectors.T


def two_loop(gradient: Tensor, pairs: Sequence[Pair], metric: Callable[[Tensor], Tensor], rows: PairRows) -> Tensor:
    """Inverse Hessian of L-BFGS times the gradient (Nocedal and Wright, algorithm 7.4), H0 = gamma times the metric.

    gamma = <s, y> / <y, metric y> of the newest pair, 1 without one. Each loop is a system of equations with the upper
    triangle U of the <s_i, y_j>, oldest first: U alpha = S q, then U^T beta = diag(U) alpha - Y q.
    """
    if not pairs:
        return metric(gradient)
    known = rows(pairs)
    products = known.products
    alpha = torch.linalg.solve_triangular(products, known.of(known.S, gradient), upper=True)
    newest = pairs[-1]
    gamma = newest.curvature / (newest.y @ metric(newest.y))
    q = metric(gradient - known.sum(known.Y, alpha)).mul_(gamma)
    rest = products.diagonal()[:, None] * alpha - known.of(known.Y, q)
    beta = torch.linalg.solve_triangular(products.T, rest, upper=False)
    return known.sum(known.S, beta).add_(q)
