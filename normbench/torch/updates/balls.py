"""Curves in spectral balls and on spheres in torch, one matrix at a time.

The ball ||P||_op <= 1 is the top block of a Stiefel manifold: Q = [P; V] with Q^T Q = I. A curve of Q never leaves it,
so P stays in the ball whatever the step. A sphere is the same with one column and no slack V.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.networks.base import Shape
from normbench.specs.base import Geometry
from normbench.specs.geodesic_lbfgs import WIDE

Tensors = list[Tensor]

LARGE = 0.5  # tan of the angle of a step whose own rounding is to be taken back


class Curve(NamedTuple):
    """A curve, as a function of t, and its size: arctan of t times it is the largest angle that a column turns by.

    Where the size is 0, the curve is not to be asked: what rests keeps all its bits.
    """

    at: Callable[[float], Any]
    size: Any


@dataclass(frozen=True)
class Ball:
    """The spectral ball of matrices of one shape, by their lifts Q of shape (m + n, n), m >= n the sides of P."""

    shape: Shape

    def _tall(self, P: Tensor) -> Tensor:
        """P, or its transpose if it is wider than tall."""
        return P.T if self.shape[0] < self.shape[1] else P

    def lift(self, P: Tensor) -> Tensor:
        """Q = [P; (I - P^T P)^(1/2)], with orthonormal columns also where ||P||_op is 1 and a little.

        NaN where P is not finite.
        """
        M = self._tall(P)
        if not M.isfinite().all():
            return M.new_full((sum(M.shape), M.shape[1]), math.nan)
        eigenvalues, vectors = torch.linalg.eigh(torch.eye(M.shape[1], dtype=M.dtype, device=M.device) - M.T @ M)
        V = (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T
        return orthonormal(torch.cat([M, V]))

    def down(self, Q: Tensor) -> Tensor:
        """P of a lift Q, or of a tangent vector at one."""
        return self._tall(Q[: max(self.shape)])

    def gradient(self, Q: Tensor, gradient: Tensor) -> Tensor:
        """Tangent gradient at Q from that of P: the slack has none of its own."""
        G = self._tall(gradient)
        return _tangent(Q, torch.cat([G, Q.new_zeros((Q.shape[1], Q.shape[1]))]), Q[: len(G)].T @ G)

    def project(self, Q: Tensor, Z: Tensor) -> Tensor:
        """Z - Q (Q^T Z + Z^T Q) / 2."""
        return _tangent(Q, Z, Q.T @ Z)

    def chord(self, Q: Tensor, Z: Tensor) -> Tensor:
        """Tangent part at Q of its difference Z to another lift; of WIDE lifts the difference itself."""
        return Z if len(Z) >= WIDE else self.project(Q, Z)

    def curve(self, Q: Tensor, D: Tensor, exact: bool) -> Curve:
        """R(t) = (Q + t D) (I + t^2 D^T D)^(-1/2) and ||D||_op; what t is asks for products alone.

        Of the root the difference to I is made, whose rounding is as small as itself. What Q is off by remains, unless
        R is to be ``exact`` or the step is LARGE: then a step of Newton and Schulz, R (3 I - R^T R) / 2, takes it back.
        """
        eigenvalues, vectors = torch.linalg.eigh(D.T @ D)
        squares = eigenvalues.clamp(min=0)

        def at(t: float) -> Tensor:
            stretch = (1 + t**2 * squares).sqrt()
            Z = torch.add(Q, D, alpha=t)
            R = torch.addmm(Z, Z, (vectors * (t**2 * squares / (stretch * (1 + stretch)))) @ vectors.T, alpha=-1)
            due = exact or t**2 * squares[-1] > LARGE**2
            return torch.addmm(R, R, R.T @ R, beta=1.5, alpha=-0.5) if due else R

        return Curve(at, squares[-1].sqrt())

    def series(self, Q: Tensor, D: Tensor) -> list[Tensor]:
        """Taylor coefficients of P along the curve up to second order: Q + t D - t^2 / 2 Q D^T D."""
        return [self.down(Q), self.down(D), self.down(-0.5 * Q @ (D.T @ D))]


@dataclass(frozen=True)
class Sphere:
    """The matrices of one shape and of Frobenius norm 1, which are their own lifts."""

    shape: Shape

    def lift(self, P: Tensor) -> Tensor:
        """P, scaled to norm 1; zero stays zero."""
        norm = torch.linalg.norm(P)
        return P / torch.where(norm == 0, 1, norm)

    def down(self, Q: Tensor) -> Tensor:
        """Q."""
        return Q

    def gradient(self, Q: Tensor, gradient: Tensor) -> Tensor:
        """Tangent gradient."""
        return self.project(Q, gradient)

    def project(self, Q: Tensor, Z: Tensor) -> Tensor:
        """Z - <Q, Z> Q."""
        return Z - torch.sum(Q * Z) * Q

    def chord(self, Q: Tensor, Z: Tensor) -> Tensor:
        """Tangent part at Q of its difference Z to another point."""
        return self.project(Q, Z)

    def curve(self, Q: Tensor, D: Tensor, exact: bool) -> Curve:
        """(Q + t D) / (1 + t^2 ||D||^2)^(1/2) and ||D||_F."""
        return Curve(lambda t: self.lift(Q + t * D), torch.linalg.norm(D))

    def series(self, Q: Tensor, D: Tensor) -> list[Tensor]:
        """Q + t D - t^2 / 2 ||D||^2 Q."""
        return [Q, D, -0.5 * torch.sum(D * D) * Q]


_KINDS: dict[Geometry, type[Ball] | type[Sphere]] = {Geometry.STIEFEL: Ball, Geometry.SPHERE: Sphere}


@dataclass(frozen=True)
class Product:
    """The manifolds of all variables together; every argument and result is a list with one tensor for each."""

    parts: tuple[Ball | Sphere, ...]

    @classmethod
    def of(cls, geometry: Geometry, variables: Sequence[Tensor]) -> "Product":
        """Balls or spheres for matrices of these shapes."""
        return cls(tuple(_KINDS[geometry](P.shape) for P in variables))

    def _each(self, *vectors: Tensors) -> Iterator[tuple[Any, ...]]:
        return zip(self.parts, *vectors, strict=True)

    def lift(self, variables: Tensors) -> Tensors:
        """Q of every P."""
        return [part.lift(P) for part, P in self._each(variables)]

    def down(self, Q: Tensors) -> Tensors:
        """P of every Q."""
        return [part.down(q) for part, q in self._each(Q)]

    def gradient(self, Q: Tensors, gradient: Tensors) -> Tensors:
        """Tangent gradient of every Q from that of P."""
        return [part.gradient(q, g) for part, q, g in self._each(Q, gradient)]

    def project(self, Q: Tensors, Z: Tensors) -> Tensors:
        """Every Z onto the tangent space at its Q."""
        return [part.project(q, z) for part, q, z in self._each(Q, Z)]

    def chord(self, Q: Tensors, Z: Tensors) -> Tensors:
        """Every difference Z to other lifts as a step at its Q."""
        return [part.chord(q, z) for part, q, z in self._each(Q, Z)]

    def curve(self, Q: Tensors, D: Tensors, exact: bool) -> Curve:
        """Every Q along its tangent D, and the largest of the sizes."""
        curves = [part.curve(q, d, exact) for part, q, d in self._each(Q, D)]
        sizes = torch.stack([curve.size for curve in curves]).tolist()

        def at(t: float) -> Tensors:
            return [curve.at(t) if size else q for curve, size, q in zip(curves, sizes, Q, strict=True)]

        return Curve(at, max(sizes))

    def series(self, Q: Tensors, D: Tensors) -> list[list[Tensor]]:
        """Taylor coefficients of every P along the curve."""
        return [part.series(q, d) for part, q, d in self._each(Q, D)]


def _tangent(Q: Tensor, Z: Tensor, inner: Tensor) -> Tensor:
    """Z - Q (inner + inner^T) / 2, where inner is Q^T Z."""
    return torch.addmm(Z, Q, inner + inner.T, alpha=-0.5)


def orthonormal(Z: Tensor) -> Tensor:
    """Z (Z^T Z)^(-1/2): the polar factor of a matrix of full rank."""
    eigenvalues, vectors = torch.linalg.eigh(Z.T @ Z)
    return Z @ ((vectors / eigenvalues.sqrt()) @ vectors.T)
