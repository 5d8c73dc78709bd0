"""The Gauss-Newton matrix of a square loss in JAX, J^T J, where the rows of J are the gradients of single outputs."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from normbench.jax.products import matmul

Arrays = tuple[Array, ...]


def gauss_newton(outputs: Callable[[Arrays, Array], Array], weights: Arrays, x: Array, counts: Array) -> Array:
    """Sum over samples of their count times J^T J.

    Parameters
    ----------
    outputs : callable
        (weights, sample) -> what the network gives for one.
    weights : tuple of Array
        Whose entries, behind one another, are rows and columns of what is returned.
    x : Array, shape (parts, samples of a part, ...)
        The rows of J of one part are in memory together.
    counts : Array, shape (parts, samples of a part)

    Returns
    -------
    Array, shape (entries, entries)
    """

    def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        x, counts = part
        by_layer = jax.vmap(jax.jacrev(outputs), in_axes=(None, 0))(weights, x)
        of_samples = [d.reshape(len(x), -1, w.size) for d, w in zip(by_layer, weights, strict=True)]
        J = jnp.concatenate(of_samples, axis=2)  # (samples, outputs, entries)
        weighted = J * counts[:, None, None]
        rows = J.shape[0] * J.shape[1]
        return total + matmul(weighted.reshape(rows, -1).T, J.reshape(rows, -1)), None

    entries = sum(w.size for w in weights)
    return jax.lax.scan(add, jnp.zeros((entries, entries), weights[0].dtype), (x, counts))[0]


def in_parts(samples: Array, size: int) -> Array:
    """Rows in parts of one size, filled up with zeros, shape (parts, size, ...)."""
    parts = -(-len(samples) // size)
    padding = [(0, parts * size - len(samples)), *[(0, 0)] * (samples.ndim - 1)]
    return jnp.pad(samples, padding).reshape(parts, size, *samples.shape[1:])
