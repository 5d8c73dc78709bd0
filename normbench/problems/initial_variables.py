"""The variables of a parametrisation that stand for initial weights: in NumPy, so that every backend starts alike."""

import math
from collections.abc import Callable

import numpy as np

from normbench.problems.problem import Weights
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import BJORCK_STEPS, Parametrisation


def initial_variables(parametrisation: Parametrisation, geometry: Geometry, weights: Weights) -> Weights:
    """Variables on a geometry that the parametrisation declares, for the network of these weights.

    Through ``ball``, and ``sandwich`` on the same geometry, the network is the function of the weights where the
    product of their norms is at most 1. Where the bound does not admit their size, or a parametrisation knows
    directions alone, it is that function by a positive factor, if the activations are homogeneous.
    """
    return _STARTS[parametrisation.key, geometry](weights)


def _matrix(weight: np.ndarray) -> np.ndarray:
    """A kernel as (channels_out, channels_in size^2)."""
    return weight.reshape(len(weight), -1)


def _norm(matrix: np.ndarray) -> float:
    """||W||_op; NaN where an entry is not finite, which no decomposition takes."""
    return float(np.linalg.norm(matrix, 2)) if np.isfinite(matrix).all() else math.nan


def _norms(weights: Weights) -> list[float]:
    return [_norm(W) for W in weights]


def _unit(matrix: np.ndarray, norm: float) -> np.ndarray:
    """The matrix by its norm; a zero one stays."""
    return matrix / (norm or 1.0)


def _same(weights: Weights) -> Weights:
    return tuple(weights)


def _sphere(weights: Weights) -> Weights:
    return tuple(_unit(M, float(np.linalg.norm(M))) for M in map(_matrix, weights))


def _ball(weights: Weights) -> Weights:
    return tuple(M / max(1.0, _norm(M)) for M in map(_matrix, weights))


def _sandwich_ball(weights: Weights) -> Weights:
    """A_k = I / sqrt 2 and B_k = W_k / sqrt 2, with A^T = W / sqrt 2 of the last layer, all times one factor."""
    norms = _norms(weights)
    *hidden, last = (_unit(W, norm) for W, norm in zip(weights, norms, strict=True))
    size = min(1.0, math.prod(norms)) ** (0.5 / len(hidden)) / math.sqrt(2)
    A = [np.eye(len(W)) for W in hidden[:-1]] + [last.T]
    return tuple(size * np.concatenate(pair, axis=1) for pair in zip(A, hidden, strict=True))


def _sandwich_free(weights: Weights) -> Weights:
    """psi = 0, and the direction of every weight: B_k in that of W_k A_{k-1}^-1."""
    whole = min(1.0, math.prod(_norms(weights)))
    found: list[np.ndarray] = []
    before = np.eye(weights[0].shape[1])
    for k, W in enumerate(weights):
        last = k == len(weights) - 1
        B = np.linalg.solve(before, W.T).T  # the A are symmetric
        B = _unit(B, _norm(B)) * (whole if last else math.sqrt(0.5))
        X, before = inverse_cayley(B)
        found += [X] if last else [X, np.zeros(len(W))]
    return tuple(found)


def inverse_cayley(B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X = [U^T V^T] whose Cayley transform is [A B], and A, for a B of norm at most 1 and A = (I - B B^T)^(1/2).

    U = 0,  V = -B^T (I + A)^-1
    """
    if not np.isfinite(B).all():
        return np.full((len(B), sum(B.shape)), math.nan), np.full((len(B), len(B)), math.nan)
    eigenvalues, vectors = np.linalg.eigh(np.eye(len(B)) - B @ B.T)
    A = (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))) @ vectors.T
    return np.concatenate([np.zeros_like(A), -np.linalg.solve(np.eye(len(B)) + A, B)], axis=1), A


def _bjorck(weights: Weights) -> Weights:
    """What the steps of the parametrisation take to W / ||W||_op: one takes 2 sin(a) to sin(3 a)."""
    found = []
    for W in weights:
        M = _matrix(W)
        if not np.isfinite(M).all():
            found.append(np.full_like(W, math.nan))
            continue
        left, values, right = np.linalg.svd(M, full_matrices=False)
        values = _unit(values, values[0])
        whole = values > 1 - 1e-14  # the root of its rounding, and of that, would come of each step
        for _ in range(BJORCK_STEPS):
            values = np.where(whole, 1.0, 2 * np.sin(np.arcsin(np.minimum(values, 1.0)) / 3))
        found.append(((left * values) @ right).reshape(W.shape))
    return tuple(found)


_STARTS: dict[tuple[str, Geometry], Callable[[Weights], Weights]] = {
    ("free", Geometry.FREE): _same,
    ("sphere", Geometry.SPHERE): _sphere,
    ("spectral", Geometry.FREE): _same,
    ("ball", Geometry.STIEFEL): _ball,
    ("sandwich", Geometry.STIEFEL): _sandwich_ball,
    ("sandwich", Geometry.FREE): _sandwich_free,
    ("bjorck", Geometry.FREE): _bjorck,
}
