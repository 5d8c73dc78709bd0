"""The parametrisations in torch: plain weights as functions of the variables, whose gradients automatic ones are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from normbench.networks.base import Shape
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import BJORCK_STEPS, Parametrisation

Tensors = list[Tensor]
Series = Sequence[Sequence[Tensor]]  # Taylor coefficients of every variable, or of every weight


@dataclass(frozen=True)
class Chart:
    """One parametrisation of the weights of one network.

    Attributes
    ----------
    weights : callable
        (variables) -> plain weights, with a graph where the variables have one.
    series : callable or None
        (Taylor coefficients of every variable along a curve) -> those of every weight; None where the weights are no
        polynomials of the variables.
    """

    weights: Callable[[Sequence[Tensor]], Tensors]
    series: Callable[[Series], Series] | None = None


def chart(parametrisation: Parametrisation, geometry: Geometry, shapes: Sequence[Shape]) -> Chart:
    """A parametrisation with its variables on a geometry that it declares, for weights of these shapes."""
    return _CHARTS[parametrisation.key, geometry](shapes)


def _free(shapes: Sequence[Shape]) -> Chart:
    return Chart(list, list)


def _matrices(shapes: Sequence[Shape]) -> Chart:
    """W as a matrix, of Frobenius norm 1 on spheres and of operator norm at most 1 in balls."""
    return Chart(
        weights=lambda variables: [P.reshape(shape) for P, shape in zip(variables, shapes, strict=True)],
        series=lambda curve: [[c.reshape(s) for c in own] for own, s in zip(curve, shapes, strict=True)],
    )


def _spectral(shapes: Sequence[Shape]) -> Chart:
    """V / ||V||_op."""
    return Chart(lambda variables: [V / _operator_norm(V.reshape(len(V), -1)) for V in variables])


def _operator_norm(matrix: Tensor) -> Tensor:
    """||V||_op = <V, u v^T>, and with u and v held its derivative is u v^T, that of a simple top singular value.

    NaN where V is not finite, which LAPACK would refuse.
    """
    held = matrix.detach()
    try:
        left, _, right = torch.linalg.svd(held, full_matrices=False)
    except torch.linalg.LinAlgError:
        if held.isfinite().all():
            raise
        return torch.nan * matrix.sum()
    return torch.sum(matrix * torch.outer(left[:, 0], right[0]))


def _bjorck(shapes: Sequence[Shape]) -> Chart:
    """W after so many steps W = W (3 I - W^T W) / 2 from V / ||V||_op."""

    def weight(V: Tensor) -> Tensor:
        matrix = V.reshape(len(V), -1)
        W = matrix / _operator_norm(matrix)
        for _ in range(BJORCK_STEPS):  # by the smaller of the two Gram matrices
            cubed = W @ W.T @ W if len(W) < W.shape[1] else W @ (W.T @ W)
            W = 1.5 * W - 0.5 * cubed
        return W.reshape(V.shape)

    return Chart(lambda variables: [weight(V) for V in variables])


def _sandwich_ball(shapes: Sequence[Shape]) -> Chart:
    """W_1 = B_1, W_k = 2 B_k A_{k-1}^T, W_L = 2 A_{L-1}^T of M_k = [A_k B_k]."""
    columns = [*(rows for rows, _ in shapes[:-2]), shapes[-1][0]]  # of A_k

    def parts(variables: Sequence[Tensor]) -> tuple[Tensors, Tensors]:
        """A_k^T and B_k."""
        pairs = list(zip(variables, columns, strict=True))
        return [M[:, :n].T for M, n in pairs], [M[:, n:] for M, n in pairs]

    def weights(variables: Sequence[Tensor]) -> Tensors:
        right, left = parts(variables)
        return [left[0], *(2 * b @ a for a, b in zip(right[:-1], left[1:], strict=True)), 2 * right[-1]]

    def series(curve: Series) -> Series:
        orders = [parts(of_order) for of_order in zip(*curve, strict=True)]
        right, left = ([list(of_layer) for of_layer in zip(*(o[side] for o in orders), strict=True)] for side in (0, 1))
        between = [
            [sum((2 * b[i] @ a[k - i] for i in range(1, k + 1)), 2 * b[0] @ a[k]) for k in range(len(b))]
            for a, b in zip(right[:-1], left[1:], strict=True)
        ]
        return [left[0], *between, [2 * c for c in right[-1]]]

    return Chart(weights, series)


def _sandwich_free(shapes: Sequence[Shape]) -> Chart:
    """W_k = 2 e^-psi_k B_k A_{k-1}^T e^psi_{k-1}, [A_k B_k] the Cayley transform of X_k."""

    def weights(variables: Sequence[Tensor]) -> Tensors:
        pairs = [cayley(X) for X in variables[::2]]
        scales = [torch.exp(psi) for psi in variables[1::2]]
        left = [B / e[:, None] for (_, B), e in zip(pairs, scales, strict=False)] + [pairs[-1][1]]
        right = [A.T * e for (A, _), e in zip(pairs, scales, strict=False)]
        return [left[0], *(2 * b @ a for a, b in zip(right, left[1:], strict=True))]

    return Chart(weights)


def cayley(X: Tensor) -> tuple[Tensor, Tensor]:
    """A, shape (n, n), and B, shape (n, m), with A A^T + B B^T = I (arXiv 2301.11526), from X = [U^T V^T].

    Z = U - U^T + V^T V,  A^T = (I + Z)^-1 (I - Z),  B^T = -2 V (I + Z)^-1
    """
    n = len(X)
    U, V = X.T[:n], X.T[n:]
    identity = torch.eye(n, dtype=X.dtype, device=X.device)
    inverse = torch.linalg.inv(identity + U - U.T + V.T @ V)
    return 2 * inverse.T - identity, -2 * (V @ inverse).T


_CHARTS: dict[tuple[str, Geometry], Callable[[Sequence[Shape]], Chart]] = {
    ("free", Geometry.FREE): _free,
    ("sphere", Geometry.SPHERE): _matrices,
    ("spectral", Geometry.FREE): _spectral,
    ("ball", Geometry.STIEFEL): _matrices,
    ("sandwich", Geometry.STIEFEL): _sandwich_ball,
    ("sandwich", Geometry.FREE): _sandwich_free,
    ("bjorck", Geometry.FREE): _bjorck,
}
