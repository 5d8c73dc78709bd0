"""The Cayley transform of free matrices onto [A B] with orthonormal rows (arXiv 2301.11526), and its gradient."""

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def cayley(X: np.ndarray) -> Pair:
    """A, shape (n, n), and B, shape (n, m), with A A^T + B B^T = I, from any X of shape (n, n + m).

    X = [U^T V^T],  Z = U - U^T + V^T V,  A^T = (I + Z)^-1 (I - Z),  B^T = -2 V (I + Z)^-1

    I + Z is never singular: its symmetric part is at least I.
    """
    V, inverse = _inverse(X)
    return 2 * inverse.T - np.eye(len(X)), -2 * (V @ inverse).T  # I - Z = 2 I - (I + Z)


def cayley_pull_back(X: np.ndarray, of_A: np.ndarray, of_B: np.ndarray) -> np.ndarray:
    """Gradient of X from those of A and B.

    With N = (I + Z)^-1: A^T = 2 N - I, B^T = -2 V N, dN = -N dZ N and dZ = dU - dU^T + dV^T V + V^T dV.
    """
    V, N = _inverse(X)
    of_Z = -N.T @ (2 * (of_A - of_B @ V).T) @ N.T
    of_U = of_Z - of_Z.T
    of_V = V @ (of_Z + of_Z.T) - 2 * (N @ of_B).T
    return np.concatenate([of_U, of_V]).T


def _inverse(X: np.ndarray) -> Pair:
    """V and (I + Z)^-1."""
    n = len(X)
    U, V = X.T[:n], X.T[n:]
    return V, np.linalg.inv(np.eye(n) + U - U.T + V.T @ V)
