"""Curves in spectral balls and on spheres in JAX, one matrix at a time.

The ball ||P||_op <= 1 is the top block of a Stiefel manifold: Q = [P; V] with Q^T Q = I. A curve of Q never leaves it,
so P stays in the ball whatever the step. A sphere is the same with one column and no slack V.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.products import matmul
from normbench.jax.updates.decompositions import eigh
from normbench.networks.base import Shape
from normbench.specs.base import Geometry
from normbench.specs.geodesic_lbfgs import WIDE

Arrays = tuple[Array, ...]

LARGE = 0.5  # tan of the angle of a step whose own rounding is to be taken back


class Curve(NamedTuple):
    """A curve, as a function of t, and its size: arctan of t times it is the largest angle that a column turns by."""

    at: Callable[[Array], Any]
    size: Array


@dataclass(frozen=True)
class Ball:
    """The spectral ball of matrices of one shape, by their lifts Q of shape (m + n, n), m >= n the sides of P."""

    shape: Shape

    def _tall(self, P: Array) -> Array:
        """P, or its transpose if it is wider than tall."""
        return P.T if self.shape[0] < self.shape[1] else P

    def lift(self, P: Array) -> Array:
        """Q = [P; (I - P^T P)^(1/2)], with orthonormal columns also where ||P||_op is 1 and a little."""
        M = self._tall(P)
        eigenvalues, vectors = eigh(jnp.eye(M.shape[1], dtype=M.dtype) - matmul(M.T, M))
        V = matmul(vectors * jnp.sqrt(jnp.maximum(eigenvalues, 0)), vectors.T)
        return orthonormal(jnp.concatenate([M, V]))

    def down(self, Q: Array) -> Array:
        """P of a lift Q, or of a tangent vector at one."""
        return self._tall(Q[: max(self.shape)])

    def gradient(self, Q: Array, gradient: Array) -> Array:
        """Tangent gradient at Q from that of P: the slack has none of its own."""
        G = self._tall(gradient)
        return _tangent(Q, jnp.pad(G, ((0, Q.shape[1]), (0, 0))), matmul(Q[: len(G)].T, G))

    def project(self, Q: Array, Z: Array) -> Array:
        """Z - Q (Q^T Z + Z^T Q) / 2."""
        return _tangent(Q, Z, matmul(Q.T, Z))

    def chord(self, Q: Array, Z: Array) -> Array:
        """Tangent part at Q of its difference Z to another lift; of WIDE lifts the difference itself."""
        return Z if len(Z) >= WIDE else self.project(Q, Z)

    def curve(self, Q: Array, D: Array, exact: Array) -> Curve:
        """R(t) = (Q + t D) (I + t^2 D^T D)^(-1/2) and ||D||_op; what t is asks for products alone.

        Of the root the difference to I is made, whose rounding is as small as itself. What Q is off by remains, unless
        R is to be ``exact`` or the step is LARGE: then a step of Newton and Schulz, R (3 I - R^T R) / 2, takes it back.
        """
        eigenvalues, vectors = eigh(matmul(D.T, D))
        squares = jnp.maximum(eigenvalues, 0)

        def at(t: Array) -> Array:
            stretch = jnp.sqrt(1 + t**2 * squares)
            Z = Q + t * D
            R = Z - matmul(Z, matmul(vectors * (t**2 * squares / (stretch * (1 + stretch))), vectors.T))
            turned = t**2 * squares[-1]
            due = (turned > LARGE**2) | (exact & (turned > 0))  # what rests is not rounded again
            return jax.lax.cond(due, lambda: 1.5 * R - 0.5 * matmul(R, matmul(R.T, R)), lambda: R)

        return Curve(at, jnp.sqrt(squares[-1]))

    def series(self, Q: Array, D: Array) -> list[Array]:
        """Taylor coefficients of P along the curve up to second order: Q + t D - t^2 / 2 Q D^T D."""
        return [self.down(Q), self.down(D), self.down(-0.5 * matmul(Q, matmul(D.T, D)))]


@dataclass(frozen=True)
class Sphere:
    """The matrices of one shape and of Frobenius norm 1, which are their own lifts."""

    shape: Shape

    def lift(self, P: Array) -> Array:
        """P, scaled to norm 1; zero stays zero."""
        norm = jnp.linalg.norm(P)
        return P / jnp.where(norm == 0, 1, norm)

    def down(self, Q: Array) -> Array:
        """Q."""
        return Q

    def gradient(self, Q: Array, gradient: Array) -> Array:
        """Tangent gradient."""
        return self.project(Q, gradient)

    def project(self, Q: Array, Z: Array) -> Array:
        """Z - <Q, Z> Q."""
        return Z - jnp.sum(Q * Z) * Q

    def chord(self, Q: Array, Z: Array) -> Array:
        """Tangent part at Q of its difference Z to another point."""
        return self.project(Q, Z)

    def curve(self, Q: Array, D: Array, exact: Array) -> Curve:
        """(Q + t D) / (1 + t^2 ||D||^2)^(1/2) and ||D||_F."""
        return Curve(lambda t: _moved(Q, D, self.lift(Q + t * D)), jnp.linalg.norm(D))

    def series(self, Q: Array, D: Array) -> list[Array]:
        """Q + t D - t^2 / 2 ||D||^2 Q."""
        return [Q, D, -0.5 * jnp.sum(D * D) * Q]


_KINDS: dict[Geometry, type[Ball] | type[Sphere]] = {Geometry.STIEFEL: Ball, Geometry.SPHERE: Sphere}


@dataclass(frozen=True)
class Product:
    """The manifolds of all variables together; every argument and result is a tuple with one array for each."""

    parts: tuple[Ball | Sphere, ...]

    @classmethod
    def of(cls, geometry: Geometry, variables: Sequence[Array]) -> "Product":
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

    def curve(self, Q: Arrays, D: Arrays, exact: Array) -> Curve:
        """Every Q along its tangent D, and the largest of the sizes."""
        curves = [part.curve(q, d, exact) for part, q, d in self._each(Q, D)]
        return Curve(lambda t: tuple(curve.at(t) for curve in curves), jnp.stack([c.size for c in curves]).max())

    def series(self, Q: Arrays, D: Arrays) -> list[list[Array]]:
        """Taylor coefficients of every P along the curve."""
        return [part.series(q, d) for part, q, d in self._each(Q, D)]


def _moved(Q: Array, D: Array, there: Array) -> Array:
    """``there``, or Q to the bit where D is zero: what rests is not rounded again."""
    return jnp.where((D == 0).all(), Q, there)


def _tangent(Q: Array, Z: Array, inner: Array) -> Array:
    """Z - Q (inner + inner^T) / 2, where inner is Q^T Z."""
    return Z - matmul(Q, inner + inner.T) / 2


def orthonormal(Z: Array) -> Array:
    """Z (Z^T Z)^(-1/2): the polar factor of a matrix of full rank."""
    eigenvalues, vectors = eigh(matmul(Z.T, Z))
    return matmul(Z, matmul(vectors / jnp.sqrt(eigenvalues), vectors.T))
