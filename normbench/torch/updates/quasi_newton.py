"""Directions of L-BFGS between tangent spaces in torch, with a metric from both sides of the history of the gradients.

All vectors of pairs are flat, with the entries of every matrix behind one another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

CURVATURE = 1e-6  # of <s, y> / (||s|| ||y||): pairs below it are left out
EVERY = 10  # iterations between two roots, after the first EVERY


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


class PairRows:
    """Pairs as the rows of two matrices, in memory that is kept: of a wide network, fresh memory costs more."""

    def __init__(self) -> None:
        self._memory: tuple[Tensor, Tensor] | None = None

    def __call__(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """S and Y; they stand there until the next call."""
        first, shape = pairs[0].s, (len(pairs), len(pairs[0].s))
        if self._memory is None or not _fits(self._memory[0], first, shape):
            self._memory = first.new_empty(shape), first.new_empty(shape)
        S, Y = self._memory
        return torch.stack([pair.s for pair in pairs], out=S), torch.stack([pair.y for pair in pairs], out=Y)


def _fits(memory: Tensor, like: Tensor, shape: tuple[int, int]) -> bool:
    return memory.shape == shape and (memory.dtype, memory.device) == (like.dtype, like.device)


@dataclass(frozen=True, eq=False)
class Metric:
    """Averages of G G^T and G^T G of every matrix, the inverse square roots of both, and the number of gradients."""

    averages: tuple[tuple[Tensor, Tensor], ...] = ()
    roots: tuple[tuple[Tensor, Tensor], ...] = ()
    count: int = 0

    def seen(self, gradient: Sequence[Tensor], *, decay: float, damping: float) -> "Metric":
        """The metric after one more gradient: L <- decay L + (1 - decay) G G^T; the first is all of it."""
        if self.count:
            averages = tuple(
                (
                    torch.addmm(L, G, G.T, beta=decay, alpha=1 - decay),
                    torch.addmm(R, G.T, G, beta=decay, alpha=1 - decay),
                )
                for (L, R), G in zip(self.averages, gradient, strict=True)
            )
        else:
            averages = tuple((G @ G.T, G.T @ G) for G in gradient)
        roots = self.roots
        if self.count <= EVERY or self.count % EVERY == 0:
            roots = tuple((inverse_root(L, damping), inverse_root(R, damping)) for L, R in averages)
        return Metric(averages, roots, self.count + 1)

    def __call__(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """L^(-1/2) V R^(-1/2)."""
        return [L @ V @ R for V, (L, R) in zip(vectors, self.roots, strict=True)]


def inverse_root(A: Tensor, damping: float) -> Tensor:
    """(A + damping tr(A) / n I)^(-1/2), A positive semi-definite; zero where A is zero: what had no gradient rests."""
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
    S, Y = rows(pairs)
    products = S @ Y.T
    alpha = torch.linalg.solve_triangular(products, (S @ gradient)[:, None], upper=True)
    newest = pairs[-1]
    gamma = newest.curvature / (newest.y @ metric(newest.y))
    q = gamma * metric(gradient - alpha[:, 0] @ Y)
    rest = products.diagonal()[:, None] * alpha - (Y @ q)[:, None]
    beta = torch.linalg.solve_triangular(products.T, rest, upper=False)
    return q + beta[:, 0] @ S
