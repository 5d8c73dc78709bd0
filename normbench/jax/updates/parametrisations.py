"""The parametrisations in JAX: plain weights as functions of the variables, whose gradients automatic ones are."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.products import inner, matmul
from normbench.jax.updates.decompositions import svd
from normbench.networks.base import Shape
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import BJORCK_STEPS, Parametrisation

Arrays = tuple[Array, ...]
Weights = Callable[[Arrays], Arrays]


def weights_of(parametrisation: Parametrisation, geometry: Geometry, shapes: Sequence[Shape]) -> Weights:
    """Plain weights of these shapes from variables on a geometry that the parametrisation declares; traces."""
    return _WEIGHTS[parametrisation.key, geometry](shapes)


def _free(shapes: Sequence[Shape]) -> Weights:
    return tuple


def _matrices(shapes: Sequence[Shape]) -> Weights:
    """W as a matrix, of Frobenius norm 1 on spheres and of operator norm at most 1 in balls."""
    return lambda variables: tuple(P.reshape(shape) for P, shape in zip(variables, shapes, strict=True))


def _spectral(shapes: Sequence[Shape]) -> Weights:
    """V / ||V||_op."""
    return lambda variables: tuple(V / _operator_norm(V.reshape(len(V), -1)) for V in variables)


def _operator_norm(matrix: Array) -> Array:
    """||V||_op = <V, u v^T>, and with u and v held its derivative is u v^T, that of a simple top singular value."""
    left, _, right = svd(jax.lax.stop_gradient(matrix))
    return inner(matrix, jnp.outer(left[:, 0], right[0]))


def _bjorck(shapes: Sequence[Shape]) -> Weights:
    """W after so many steps W = W (3 I - W^T W) / 2 from V / ||V||_op."""

    def step(_: int, W: Array) -> Array:  # by the smaller of the two Gram matrices
        wide = len(W) < W.shape[1]
        cubed = matmul(matmul(W, W.T), W) if wide else matmul(W, matmul(W.T, W))
        return 1.5 * W - 0.5 * cubed

    def weight(V: Array) -> Array:
        matrix = V.reshape(len(V), -1)
        return jax.lax.fori_loop(0, BJORCK_STEPS, step, matrix / _operator_norm(matrix)).reshape(V.shape)

    return lambda variables: tuple(map(weight, variables))


def _sandwich_ball(shapes: Sequence[Shape]) -> Weights:
    """W_1 = B_1, W_k = 2 B_k A_{k-1}^T, W_L = 2 A_{L-1}^T of M_k = [A_k B_k]."""
    columns = [*(rows for rows, _ in shapes[:-2]), shapes[-1][0]]  # of A_k

    def weights(variables: Arrays) -> Arrays:
        pairs = list(zip(variables, columns, strict=True))
        return _chained([M[:, n:] for M, n in pairs], [M[:, :n].T for M, n in pairs])

    return weights


def _sandwich_free(shapes: Sequence[Shape]) -> Weights:
    """W_k = 2 e^-psi_k B_k A_{k-1}^T e^psi_{k-1}, [A_k B_k] the Cayley transform of X_k."""

    def weights(variables: Arrays) -> Arrays:
        pairs = [cayley(X) for X in variables[::2]]
        scales = [jnp.exp(psi) for psi in variables[1::2]]
        left = [B / e[:, None] for (_, B), e in zip(pairs, scales, strict=False)] + [pairs[-1][1]]
        right = [A.T * e for (A, _), e in zip(pairs, scales, strict=False)]
        between = (2 * matmul(b, a) for a, b in zip(right, left[1:], strict=True))
        return (left[0], *between)

    return weights


def cayley(X: Array) -> tuple[Array, Array]:
    """A, shape (n, n), and B, shape (n, m), with A A^T + B B^T = I (arXiv 2301.11526), from X = [U^T V^T].

    Z = U - U^T + V^T V,  A^T = (I + Z)^-1 (I - Z),  B^T = -2 V (I + Z)^-1
    """
    n = len(X)
    U, V = X.T[:n], X.T[n:]
    identity = jnp.eye(n, dtype=X.dtype)
    inverse = jnp.linalg.inv(identity + U - U.T + matmul(V.T, V))
    return 2 * inverse.T - identity, -2 * matmul(V, inverse).T


def _chained(left: Sequence[Array], right: Sequence[Array]) -> Arrays:
    """left_1, 2 left_2 right_1, ..., 2 right_H."""
    between = (2 * matmul(b, a) for a, b in zip(right[:-1], left[1:], strict=True))
    return (left[0], *between, 2 * right[-1])


_WEIGHTS: dict[tuple[str, Geometry], Callable[[Sequence[Shape]], Weights]] = {
    ("free", Geometry.FREE): _free,
    ("sphere", Geometry.SPHERE): _matrices,
    ("spectral", Geometry.FREE): _spectral,
    ("ball", Geometry.STIEFEL): _matrices,
    ("sandwich", Geometry.STIEFEL): _sandwich_ball,
    ("sandwich", Geometry.FREE): _sandwich_free,
    ("bjorck", Geometry.FREE): _bjorck,
}
