"""Geometry of the sphere, the Stiefel and the oblique manifold in JAX, stacks of components at a time (M. Ozay).

All three are submanifolds of the matrices with the Euclidean metric: gradients are orthogonal projections.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from normbench.jax.norms import plain_norm
from normbench.jax.products import matmul

Map = Callable[[Array, Array], Array]


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
    """

    projection: Map
    retraction: Map


def _with_unit_norms(axes: tuple[int, ...]) -> Manifold:
    """Unit norm along ``axes``: both axes of a component on the sphere, its rows on the oblique manifold."""

    def projection(point: Array, vector: Array) -> Array:
        """G - <W, G> W."""
        return vector - point * jnp.sum(point * vector, axis=axes, keepdims=True)

    def exponential_map(point: Array, tangent: Array) -> Array:
        """W cos ||V|| + V sin ||V|| / ||V||, then scaled to unit norm against rounding."""
        angle = plain_norm(tangent, axes)
        reached = point * jnp.cos(angle) + tangent * jnp.sinc(angle / jnp.pi)
        return reached / plain_norm(reached, axes)

    return Manifold(projection, exponential_map)


def _of_tall(function: Map) -> Map:
    """The same of the transposes where a component has more columns than rows."""

    def either(point: Array, vector: Array) -> Array:
        if point.shape[-2] < point.shape[-1]:
            return function(point.mT, vector.mT).mT
        return function(point, vector)

    return either


def _stiefel_projection(point: Array, vector: Array) -> Array:
    """G - W (W^T G + G^T W) / 2."""
    inner = matmul(point.mT, vector)
    return vector - matmul(point, inner + inner.mT) / 2


def _stiefel_retraction(point: Array, tangent: Array) -> Array:
    """Q of W + V = Q R with a positive diagonal of R, which makes Q unique and continuous."""
    Q, R = jnp.linalg.qr(point + tangent)
    diagonal = jnp.diagonal(R, axis1=-2, axis2=-1)[..., None, :]
    return jnp.where(diagonal < 0, -Q, Q)


MANIFOLDS = {
    "sphere": _with_unit_norms((-2, -1)),
    "stiefel": Manifold(_of_tall(_stiefel_projection), _of_tall(_stiefel_retraction)),
    "oblique": _with_unit_norms((-2,)),
}
