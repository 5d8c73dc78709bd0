"""Geometry of the sphere, the Stiefel and the oblique manifold in NumPy, one component at a time (FG-SGD, M. Ozay).

All three are submanifolds of the matrices with the Euclidean metric: gradients are orthogonal projections.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Map = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Manifold:
    """What a descent on one manifold needs; points and vectors are matrices of shape (A, B).

    Attributes
    ----------
    projection : callable
        (point, vector) to the nearest tangent vector at the point.
    retraction : callable
        (point, tangent) to a point of the manifold that agrees with it to first order, as line 7 of Algorithm 1 uses
        it: the exponential map on sphere and oblique manifold, the QR retraction on the Stiefel manifold.
    """

    projection: Map
    retraction: Map


def sphere_projection(point: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """G - <W, G> W."""
    return vector - np.vdot(point, vector) * point


def sphere_exponential_map(point: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """W cos ||V|| + V sin ||V|| / ||V||, then scaled to unit norm against rounding."""
    angle = np.linalg.norm(tangent)
    reached = point * np.cos(angle) + tangent * np.sinc(angle / np.pi)
    return reached / np.linalg.norm(reached)


def oblique_projection(point: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The projection of the sphere, column by column: G - W diag(W^T G)."""
    return vector - point * np.diag(point.T @ vector)


def oblique_exponential_map(point: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """The exponential map of the sphere, column by column."""
    columns = zip(point.T, tangent.T, strict=True)
    return np.stack([sphere_exponential_map(w, v) for w, v in columns], axis=1)


def stiefel_projection(point: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """G - W (W^T G + G^T W) / 2 for A >= B; the same of the transposes where the rows are orthonormal."""
    if point.shape[0] < point.shape[1]:
        return stiefel_projection(point.T, vector.T).T
    inner = point.T @ vector
    return vector - point @ (inner + inner.T) / 2


def stiefel_retraction(point: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """Q of W + V = Q R with a positive diagonal of R, which makes Q unique and continuous."""
    if point.shape[0] < point.shape[1]:
        return stiefel_retraction(point.T, tangent.T).T
    Q, R = np.linalg.qr(point + tangent)
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0)


MANIFOLDS = {
    "sphere": Manifold(sphere_projection, sphere_exponential_map),
    "stiefel": Manifold(stiefel_projection, stiefel_retraction),
    "oblique": Manifold(oblique_projection, oblique_exponential_map),
}
