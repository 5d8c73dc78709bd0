"""The parametrisations in float64 NumPy: plain weights of any variables, and gradients back to them by hand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from normbench.networks.base import Shape
from normbench.reference.cayley import cayley, cayley_pull_back
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import BJORCK_STEPS, Parametrisation

Arrays = tuple[np.ndarray, ...]
Shapes = Sequence[Shape]

ROUNDING = 8 * np.finfo(np.float64).eps  # of an operator norm in float64, for every row and column of the matrix


@dataclass(frozen=True, eq=False)
class Chart:
    """One parametrisation of the weights of one network.

    Attributes
    ----------
    weights : callable
        (variables) -> plain weights.
    pull_back : callable
        (variables, gradient of the plain weights) -> gradient of the variables.
    clipped : callable
        (variables) -> variables with norms of at most 1 in float64; those of a lower precision may exceed it.
    witness : callable
        (variables) -> what proves the bound of the plain weights beside themselves, arrays by name: nothing for the
        product of norms; for the sandwich a, b, psi and gain in the form of arXiv 2301.11526, where the layers are
        sqrt 2 A_k^T psi_k rho(sqrt 2 psi_k^-1 B_k h), with square A_k, and gain B_L is the last.
    series : callable or None
        (Taylor coefficients of every variable along a curve) -> those of every weight; None where the weights are no
        polynomials of the variables.
    """

    weights: Callable[[Arrays], Arrays]
    pull_back: Callable[[Arrays, Arrays], Arrays]
    clipped: Callable[[Arrays], Arrays]
    witness: Callable[[Arrays], dict[str, Arrays]]
    series: Callable[[Sequence[list[np.ndarray]]], Sequence[list[np.ndarray]]] | None = None


def chart(parametrisation: Parametrisation, geometry: Geometry, shapes: Shapes) -> Chart:
    """A parametrisation with its variables on a geometry that it declares, for weights of these shapes."""
    return _CHARTS[parametrisation.key, geometry](shapes)


def operator_norm(matrix: np.ndarray) -> float:
    """||W||_op, rounded up."""
    return float(np.linalg.norm(matrix, 2)) * (1 + ROUNDING * sum(matrix.shape))


def _matrix(weight: np.ndarray) -> np.ndarray:
    """A kernel as (channels_out, channels_in size^2)."""
    return weight.reshape(len(weight), -1)


def _norm(variable: np.ndarray) -> float:
    """||V||_op; NaN where V is not finite, which LAPACK would refuse."""
    return float(np.linalg.norm(_matrix(variable), 2)) if np.isfinite(variable).all() else math.nan


def _inside(matrix: np.ndarray) -> np.ndarray:
    """The matrix if its operator norm is at most 1, else scaled to it."""
    norm = operator_norm(matrix)
    return matrix / norm if norm > 1 else matrix


def _same(variables: Arrays) -> Arrays:
    return tuple(variables)


def _nothing(variables: Arrays) -> dict[str, Arrays]:
    return {}


def _free(shapes: Shapes) -> Chart:
    """W."""
    return Chart(_same, lambda variables, gradient: tuple(gradient), _same, _nothing, tuple)


def _matrices(shapes: Shapes) -> Chart:
    """W as a matrix, of Frobenius norm 1 on spheres and of operator norm at most 1 in balls."""

    def weights(variables: Arrays) -> Arrays:
        return tuple(P.reshape(shape) for P, shape in zip(variables, shapes, strict=True))

    return Chart(
        weights=weights,
        pull_back=lambda variables, gradient: tuple(map(_matrix, gradient)),
        clipped=lambda variables: tuple(map(_inside, variables)),
        witness=_nothing,
        series=lambda curve: [[c.reshape(s) for c in own] for own, s in zip(curve, shapes, strict=True)],
    )


def _spectral(shapes: Shapes) -> Chart:
    """V / ||V||_op, whose derivative is that of a simple top singular value: (G - <G, W> u v^T) / ||V||_op."""

    def weights(variables: Arrays) -> Arrays:
        return tuple(V / _norm(V) for V in variables)

    def pull_back(variables: Arrays, gradient: Arrays) -> Arrays:
        return tuple(map(_normalised_back, variables, gradient))

    # rounding aside, which no scale of V changes, the norms are 1
    return Chart(weights, pull_back, _same, _nothing)


def _normalised_back(V: np.ndarray, G: np.ndarray) -> np.ndarray:
    """Gradient of V from that of V / ||V||_op."""
    left, values, right = np.linalg.svd(_matrix(V), full_matrices=False)
    along = np.vdot(G, V) / values[0]
    return (G - along * np.outer(left[:, 0], right[0]).reshape(V.shape)) / values[0]


def _bjorck(shapes: Shapes) -> Chart:
    """W after so many steps W = W (3 I - W^T W) / 2 from V / ||V||_op."""

    def iterates(V: np.ndarray) -> list[np.ndarray]:
        found = [_matrix(V) / _norm(V)]
        for _ in range(BJORCK_STEPS):
            found.append(1.5 * found[-1] - 0.5 * found[-1] @ (found[-1].T @ found[-1]))
        return found

    def back(V: np.ndarray, G: np.ndarray) -> np.ndarray:
        G = _matrix(G)
        for W in reversed(iterates(V)[:-1]):  # d (W W^T W) = dW W^T W + W dW^T W + W W^T dW
            G = 1.5 * G - 0.5 * (G @ (W.T @ W) + W @ (G.T @ W) + W @ (W.T @ G))
        return _normalised_back(V, G.reshape(V.shape))

    def weights(variables: Arrays) -> Arrays:
        return tuple(iterates(V)[-1].reshape(V.shape) for V in variables)

    return Chart(weights, lambda variables, gradient: tuple(map(back, variables, gradient)), _same, _nothing)


def _sandwich_ball(shapes: Shapes) -> Chart:
    """M_k = [A_k B_k] of operator norm at most 1: W_1 = B_1, W_k = 2 B_k A_{k-1}^T, W_L = 2 A_{L-1}^T."""
    columns = [*(len_out for len_out, _ in shapes[:-2]), shapes[-1][0]]  # of A_k

    def parts(variables: Arrays) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """A_k and B_k."""
        pairs = list(zip(variables, columns, strict=True))
        return [M[:, :n] for M, n in pairs], [M[:, n:] for M, n in pairs]

    def weights(variables: Arrays) -> Arrays:
        A, B = parts(variables)
        return _chained(B, [a.T for a in A])

    def pull_back(variables: Arrays, gradient: Arrays) -> Arrays:
        A, B = parts(variables)
        of_left, of_right = _chained_back(B, [a.T for a in A], gradient)
        return tuple(np.concatenate([r.T, left], axis=1) for r, left in zip(of_right, of_left, strict=True))

    def witness(variables: Arrays) -> dict[str, Arrays]:
        A, B = parts(variables)
        square, out = _square(A[-1])
        psi = tuple(np.full(len(a), math.sqrt(2)) for a in A)
        return {"a": (*A[:-1], square), "b": (*B, out), "psi": psi, "gain": (np.array(1.0),)}

    def series(curve: Sequence[list[np.ndarray]]) -> list[list[np.ndarray]]:
        A = [[c[:, :n].T for c in own] for own, n in zip(curve, columns, strict=True)]
        B = [[c[:, n:] for c in own] for own, n in zip(curve, columns, strict=True)]
        between = [
            [2 * np.sum([b[i] @ a[k - i] for i in range(k + 1)], axis=0) for k in range(len(b))]
            for a, b in zip(A[:-1], B[1:], strict=True)
        ]
        return [B[0], *between, [2 * c for c in A[-1]]]

    clipped = _matrices(shapes).clipped
    return Chart(weights, pull_back, clipped, witness, series)


def _sandwich_free(shapes: Shapes) -> Chart:
    """(X_1, psi_1, ..., X_L): the Cayley transforms [A_k B_k], W_k = 2 e^-psi_k B_k A_{k-1}^T e^psi_{k-1}."""

    def parts(variables: Arrays) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """A_k and B_k of every layer, and e^psi_k, which is 1 in the last."""
        pairs = [cayley(X) for X in variables[::2]]
        scales = [np.exp(psi) for psi in variables[1::2]] + [np.ones(shapes[-1][0])]
        return [A for A, _ in pairs], [B for _, B in pairs], scales

    def weights(variables: Arrays) -> Arrays:
        A, B, scales = parts(variables)
        return _chained(*_scaled(A, B, scales))[:-1]

    def pull_back(variables: Arrays, gradient: Arrays) -> Arrays:
        A, B, scales = parts(variables)
        left, right = _scaled(A, B, scales)
        of_left, of_right = _chained_back(left, right, (*gradient, np.zeros_like(right[-1])))
        found: list[np.ndarray] = []
        for k, X in enumerate(variables[::2]):
            e = scales[k]
            found.append(cayley_pull_back(X, (of_right[k] * e).T, of_left[k] / e[:, None]))
            found.append((of_right[k] * right[k]).sum(axis=0) - (of_left[k] * left[k]).sum(axis=1))
        return tuple(found[:-1])

    def witness(variables: Arrays) -> dict[str, Arrays]:
        A, B, scales = parts(variables)
        psi = tuple(math.sqrt(2) * e for e in scales[:-1])
        return {"a": tuple(A[:-1]), "b": tuple(B), "psi": psi, "gain": (np.array(1.0),)}

    return Chart(weights, pull_back, _same, witness)


def _scaled(A: Sequence[np.ndarray], B: Sequence[np.ndarray], scales: Sequence[np.ndarray]) -> tuple[list, list]:
    """e^-psi B and A^T e^psi."""
    left = [b / e[:, None] for b, e in zip(B, scales, strict=True)]
    return left, [a.T * e for a, e in zip(A, scales, strict=True)]


def _chained(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> Arrays:
    """left_1, 2 left_2 right_1, ..., 2 right_H."""
    between = (2 * b @ a for a, b in zip(right[:-1], left[1:], strict=True))
    return (left[0], *between, 2 * right[-1])


def _chained_back(
    left: Sequence[np.ndarray], right: Sequence[np.ndarray], gradient: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gradients of the left and the right factors from those of :func:`_chained`."""
    of_left = [gradient[0], *(2 * G @ a.T for G, a in zip(gradient[1:-1], right[:-1], strict=True))]
    of_right = [*(2 * b.T @ G for G, b in zip(gradient[1:-1], left[1:], strict=True)), 2 * gradient[-1]]
    return of_left, of_right


def _square(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S, shape (n, n), and P with A^T = P S^T, ||P||_op = 1 and S S^T = A A^T, for A of shape (n, outputs).

    The witness has square factors: zeros beside A and [I 0], or the polar factors where there are more outputs.
    """
    n, outputs = A.shape
    if outputs <= n:
        return np.concatenate([A, np.zeros((n, n - outputs))], axis=1), np.eye(outputs, n)
    left, values, right = np.linalg.svd(A, full_matrices=False)
    return (left * values) @ left.T, (left @ right).T


_CHARTS: dict[tuple[str, Geometry], Callable[[Shapes], Chart]] = {
    ("free", Geometry.FREE): _free,
    ("sphere", Geometry.SPHERE): _matrices,
    ("spectral", Geometry.FREE): _spectral,
    ("ball", Geometry.STIEFEL): _matrices,
    ("sandwich", Geometry.STIEFEL): _sandwich_ball,
    ("sandwich", Geometry.FREE): _sandwich_free,
    ("bjorck", Geometry.FREE): _bjorck,
}
