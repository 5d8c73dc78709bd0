"""Geometry of the sphere, the Stiefel and the oblique manifold in torch, stacks of components at a time (M. Ozay).

All three are submanifolds of the matrices with the Euclidean metric: gradients are orthogonal projections.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Map = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Manifold:
    """What a descent on one manifold needs; points and vectors are stacks of matrices, shape (..., A, B).

    Attributes
    ----------
    projection : callable
        (point, vector) to the nearest tangent vector at the point.
    retraction : callable
        (point, tangent) to a point of the manifold that agrees with it to first order, as line 7 of Algorithm 1 uses
        it: the exponential map on sphere and oblique manifold, the QR retraction on the Stiefel manifold.
    departure : callable
        (matrices) to how far they are from the manifold: errors of what should be 1 or 0 on it.
    """

    projection: Map
    retraction: Map
    departure: Callable[[Tensor], Tensor]


def _norm(vector: Tensor, axes: tuple[int, ...]) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=axes, keepdim=True)


def _with_unit_norms(axes: tuple[int, ...]) -> Manifold:
    """Unit norm along ``axes``: both axes of a component on the sphere, its rows on the oblique manifold."""

    def projection(point: Tensor, vector: Tensor) -> Tensor:
        """G - <W, G> W."""
        return vector - point * (point * vector).sum(axes, keepdim=True)

    def exponential_map(point: Tensor, tangent: Tensor) -> Tensor:
        """W cos ||V|| + V sin ||V|| / ||V||, then scaled to unit norm against rounding."""
        angle = _norm(tangent, axes)
        reached = point * torch.cos(angle) + tangent * torch.sinc(angle / torch.pi)
        return reached / _norm(reached, axes)

    def departure(point: Tensor) -> Tensor:
        """| ||W|| - 1 |."""
        return (_norm(point, axes) - 1).abs()

    return Manifold(projection, exponential_map, departure)


def _of_tall(function: Map) -> Map:
    """The same of the transposes where a component has more columns than rows."""

    def either(point: Tensor, vector: Tensor) -> Tensor:
        if point.shape[-2] < point.shape[-1]:
            return function(point.mT, vector.mT).mT
        return function(point, vector)

    return either


def _stiefel_projection(point: Tensor, vector: Tensor) -> Tensor:
    """G - W (W^T G + G^T W) / 2."""
    inner = point.mT @ vector
    return vector - point @ (inner + inner.mT) / 2


def _stiefel_retraction(point: Tensor, tangent: Tensor) -> Tensor:
    """Q of W + V = Q R with a positive diagonal of R, which makes Q unique and continuous."""
    Q, R = torch.linalg.qr(point + tangent)
    diagonal = R.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
    return torch.where(diagonal < 0, -Q, Q)


def _stiefel_departure(point: Tensor) -> Tensor:
    """| W^T W - I |, of the transpose where there are fewer rows than columns."""
    tall = point if point.shape[-2] >= point.shape[-1] else point.mT
    gram = tall.mT @ tall
    return (gram - torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)).abs()


MANIFOLDS = {
    "sphere": _with_unit_norms((-2, -1)),
    "stiefel": Manifold(_of_tall(_stiefel_projection), _of_tall(_stiefel_retraction), _stiefel_departure),
    "oblique": _with_unit_norms((-2,)),
}
