"""Curves in spectral balls and on spheres, one matrix at a time.

The ball ||P||_op <= 1 is the top block of a Stiefel manifold: Q = [P; V] with Q^T Q = I, where P and V have the sines
and cosines of the same angles for singular values. A curve of Q never leaves it, so P stays in the ball whatever the
step, and nothing is to be projected. A sphere is the same with one column and no slack V.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.networks.base import Shape
from normbench.reference.geometry import sphere_projection, stiefel_projection
from normbench.specs.base import Geometry
from normbench.specs.geodesic_lbfgs import WIDE

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Ball:
    """The spectral ball of matrices of one shape, by their lifts Q of shape (m + n, n), m >= n the sides of P."""

    shape: Shape

    def _tall(self, P: np.ndarray) -> np.ndarray:
        """P, or its transpose if it is wider than tall."""
        return P.T if self.shape[0] < self.shape[1] else P

    def lift(self, P: np.ndarray) -> np.ndarray:
        """Q = [P; (I - P^T P)^(1/2)], with orthonormal columns also where ||P||_op is 1 and a little.

        NaN where P is not finite.
        """
        M = self._tall(P)
        if not np.isfinite(M).all():
            return np.full((sum(M.shape), M.shape[1]), np.nan)
        eigenvalues, vectors = np.linalg.eigh(np.eye(M.shape[1]) - M.T @ M)
        V = (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))) @ vectors.T
        return orthonormal(np.concatenate([M, V]))

    def down(self, Q: np.ndarray) -> np.ndarray:
        """P of a lift Q, or of a tangent vector at one."""
        return self._tall(Q[: max(self.shape)])

    def gradient(self, Q: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Tangent gradient at Q from that of P: the slack has none of its own."""
        return self.project(Q, np.concatenate([self._tall(gradient), np.zeros((Q.shape[1], Q.shape[1]))]))

    def project(self, Q: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Z - Q (Q^T Z + Z^T Q) / 2."""
        return stiefel_projection(Q, Z)

    def chord(self, Q: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Tangent part at Q of its difference Z to another lift; of WIDE lifts the difference itself."""
        return Z if len(Z) >= WIDE else self.project(Q, Z)

    def size(self, D: np.ndarray) -> float:
        """||D||_op: arctan of t times it is the largest angle by which a column turns on the way to Q + t D."""
        return math.sqrt(float(np.linalg.norm(D.T @ D, 2)))

    def curve(self, Q: np.ndarray, D: np.ndarray, t: float) -> np.ndarray:
        """R(t) = (Q + t D) (I + t^2 D^T D)^(-1/2), by the Gram matrix of Q + t D, so that rounding does not add up."""
        return orthonormal(Q + t * D)

    def series(self, Q: np.ndarray, D: np.ndarray) -> list[np.ndarray]:
        """Taylor coefficients of P along the curve up to second order: Q + t D - t^2 / 2 Q D^T D."""
        return [self.down(Q), self.down(D), self.down(-0.5 * Q @ (D.T @ D))]


@dataclass(frozen=True)
class Sphere:
    """The matrices of one shape and of Frobenius norm 1, which are their own lifts."""

    shape: Shape

    def lift(self, P: np.ndarray) -> np.ndarray:
        """P, scaled to norm 1; zero stays zero."""
        return P / (np.linalg.norm(P) or 1.0)

    def down(self, Q: np.ndarray) -> np.ndarray:
        """Q."""
        return Q

    def gradient(self, Q: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Tangent gradient."""
        return self.project(Q, gradient)

    def project(self, Q: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Z - <Q, Z> Q."""
        return sphere_projection(Q, Z)

    def chord(self, Q: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Tangent part at Q of its difference Z to another point."""
        return self.project(Q, Z)

    def size(self, D: np.ndarray) -> float:
        """||D||_F."""
        return float(np.linalg.norm(D))

    def curve(self, Q: np.ndarray, D: np.ndarray, t: float) -> np.ndarray:
        """(Q + t D) / (1 + t^2 ||D||^2)^(1/2)."""
        return self.lift(Q + t * D)

    def series(self, Q: np.ndarray, D: np.ndarray) -> list[np.ndarray]:
        """Q + t D - t^2 / 2 ||D||^2 Q."""
        return [Q, D, -0.5 * np.vdot(D, D) * Q]


_KINDS: dict[Geometry, type[Ball] | type[Sphere]] = {Geometry.STIEFEL: Ball, Geometry.SPHERE: Sphere}


@dataclass(frozen=True)
class Product:
    """The manifolds of all variables together; every argument and result is a tuple with one array for each."""

    parts: tuple[Ball | Sphere, ...]

    @classmethod
    def of(cls, geometry: Geometry, variables: Arrays) -> "Product":
        """Balls or spheres for matrices of these shapes."""
        return cls(tuple(_KINDS[geometry](P.shape) for P in variables))

    def _each(self, *vectors: Arrays) -> Iterator[tuple[Any, ...]]:
        return zip(self.parts, *vectors, strict=True)

    def lift(self, variables: Arrays) -> Arrays:
        """Q of every P."""
        return tuple(part.lift(P) for part, P in self._each(variables))

    def down(self, Q: Arrays) -> Arrays:
        """P of every Q."""
        return tuple(part.down(q) for part, q in self._each(Q))

    def gradient(self, Q: Arrays, gradient: Arrays) -> Arrays:
        """Tangent gradient of every Q from that of P."""
        return tuple(part.gradient(q, g) for part, q, g in self._each(Q, gradient))

    def project(self, Q: Arrays, Z: Arrays) -> Arrays:
        """Every Z onto the tangent space at its Q."""
        return tuple(part.project(q, z) for part, q, z in self._each(Q, Z))

    def chord(self, Q: Arrays, Z: Arrays) -> Arrays:
        """Every difference Z to other lifts as a step at its Q."""
        return tuple(part.chord(q, z) for part, q, z in self._each(Q, Z))

    def size(self, D: Arrays) -> float:
        """The largest of the sizes."""
        return max(part.size(d) for part, d in self._each(D))

    def curve(self, Q: Arrays, D: Arrays) -> Callable[[float], Arrays]:
        """Q along the tangents D, as a function of t."""
        return lambda t: tuple(part.curve(q, d, t) for part, q, d in self._each(Q, D))

    def series(self, Q: Arrays, D: Arrays) -> list[list[np.ndarray]]:
        """Taylor coefficients of every P along the curve."""
        return [part.series(q, d) for part, q, d in self._each(Q, D)]


def orthonormal(Z: np.ndarray) -> np.ndarray:
    """Z (Z^T Z)^(-1/2): the polar factor of a matrix of full rank."""
    eigenvalues, vectors = np.linalg.eigh(Z.T @ Z)
    return Z @ ((vectors / np.sqrt(eigenvalues)) @ vectors.T)
