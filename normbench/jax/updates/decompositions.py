"""Decompositions in JAX that always return: LAPACK may look for the singular values of an infinity for ever.

Of a matrix that is not finite every part is NaN.
"""

import jax.numpy as jnp
from jax import Array


def svd(matrix: Array) -> tuple[Array, Array, Array]:
    """The thin singular value decomposition U, s, V^T."""
    finite = jnp.isfinite(matrix).all()
    left, values, right = jnp.linalg.svd(jnp.where(finite, matrix, 0), full_matrices=False)
    return _shown(left, finite), _shown(values, finite), _shown(right, finite)


def svdvals(matrix: Array) -> Array:
    """The singular values alone, in descending order."""
    finite = jnp.isfinite(matrix).all()
    return _shown(jnp.linalg.svd(jnp.where(finite, matrix, 0), compute_uv=False), finite)


def eigh(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues in ascending order, and eigenvectors, of a symmetric matrix."""
    finite = jnp.isfinite(matrix).all()
    values, vectors = jnp.linalg.eigh(jnp.where(finite, matrix, 0))
    return _shown(values, finite), _shown(vectors, finite)


def eigvalsh(matrix: Array) -> Array:
    """Eigenvalues of a symmetric matrix, in ascending order."""
    finite = jnp.isfinite(matrix).all()
    return _shown(jnp.linalg.eigvalsh(jnp.where(finite, matrix, 0)), finite)


def _shown(part: Array, finite: Array) -> Array:
    return jnp.where(finite, part, jnp.nan)
