"""FG-SGD in torch (M. Ozay, Algorithm 1), all products of manifolds of one shape in one call of each operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.specs import manifolds
from normbench.torch.updates.geometry import MANIFOLDS, Manifold

Scale: TypeAlias = float | Tensor
Index: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class FGSGDState:
    """How many steps were taken, and the lambda by which each weight is scaled now."""

    count: int
    deviations: tuple[Scale, ...]


def learning_rate_at(count: int, *, learning_rate: float, decay: float) -> float:
    """r(t) = r0 / (1 + t)^decay, t = 0, 1, ...: sum r = inf, sum r^2 < inf for decay in (1/2, 1]        (eq. 4)."""
    return learning_rate / (1.0 + count) ** decay


def bound(size: Tensor) -> Tensor:
    """zeta = sqrt(max(1, R_g^2 (2 + R_g)^2))        (eq. 7), of which the root is taken first."""
    return torch.clamp(size * (2 + size), min=1.0)


def deviations_at(count: int, feature_std: Sequence[Scale] | None, layers: int) -> tuple[Scale, ...]:
    """lambda of every layer: 1 at the first step, then the deviation of its inputs, but never below 1 (section 4.1)."""
    if count == 0 or feature_std is None:
        return (1.0,) * layers
    return tuple(s.clamp(min=1.0) if isinstance(s, Tensor) else max(1.0, s) for s in feature_std)


def fgsgd(
    *,
    learning_rate: float,
    decay: float,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    positions: Sequence[int] | None = None,
    feature_std: Sequence[Scale] | None = None,
) -> Update:
    """Algorithm 1; the step size is r(t).

    omega = W / (gamma / lambda_t),   V = -(r(t) / zeta) grad,   W' = (gamma / lambda_{t+1}) phi_omega(V)  (eq. 2-7)

    Parameters as :func:`normbench.reference.fgsgd.fgsgd`; a deviation may be a tensor without axes.
    """

    def init(objective: Any, weights: Sequence[Tensor]) -> FGSGDState:
        return FGSGDState(0, (1.0,) * len(weights))  # lambda = 1

    def step(
        gradient: Sequence[Tensor], weights: Sequence[Tensor], state: FGSGDState
    ) -> tuple[list[Tensor], FGSGDState, float]:
        rate = learning_rate_at(state.count, learning_rate=learning_rate, decay=decay)
        deviations = deviations_at(state.count, feature_std, len(weights))
        sets = {"grouping": grouping, "groups": groups, "partition_seed": partition_seed}
        moved = []
        for layer, (G, W) in enumerate(zip(gradient, weights, strict=True)):
            index = indices(W.shape, W.device, layer=layer, **sets)
            gamma = manifolds.scale(W.shape, positions=positions[layer] if positions else 1)
            pair = state.deviations[layer], deviations[layer]
            moved.append(layer_step(G, W, index, MANIFOLDS[manifold], rate=rate, gamma=gamma, deviations=pair))
        return moved, FGSGDState(state.count + 1, deviations), rate

    return Update(init, step)


@lru_cache(maxsize=1024)
def indices(
    shape: torch.Size, device: torch.device, *, grouping: str, groups: int, partition_seed: int, layer: int
) -> tuple[Index, ...]:
    """Indices of :func:`normbench.specs.manifolds.blocks` on the device."""
    found = manifolds.blocks(tuple(shape), grouping=grouping, groups=groups, partition_seed=partition_seed, layer=layer)
    return tuple(
        (torch.tensor(b.rows, device=device)[:, :, None], torch.tensor(b.columns, device=device)[:, None, :])
        for b in found
    )


def layer_step(
    G: Tensor,
    W: Tensor,
    index: Sequence[Index],
    manifold: Manifold,
    *,
    rate: float,
    gamma: float,
    deviations: tuple[Scale, Scale],
) -> Tensor:
    """The new weight of one layer, ``deviations`` being its lambda now and then, without waiting for the device."""
    now, then = deviations
    before, after = gamma / now, gamma / then
    shape = _indexed_shape(W)
    new = W.reshape(shape) * (now / then)  # a product of manifolds with a zero gradient stays
    for rows_columns in index:
        omega = W.reshape(shape)[rows_columns] / before
        # W = R omega, so the gradient with respect to omega is R times the one with respect to W
        tangent = manifold.projection(omega, G.reshape(shape)[rows_columns] * before)  # line 5
        size = torch.linalg.vector_norm(tangent, dim=tuple(range(1, tangent.dim())), keepdim=True)  # eq. 6
        moved = manifold.retraction(omega, tangent * (-rate / bound(size)))  # lines 6, 7
        # written so that NaN moves, and is seen as a diverged loss; where the scale changes, what stays is put back on
        # the manifold, or the roundings of many scales would add up, in half precision to much of a norm
        stays = torch.logical_and(size == 0, torch.as_tensor(now == then, device=size.device))
        new[rows_columns] = torch.where(stays, new[rows_columns], moved * after)
    return new.reshape(W.shape)


def departure(W: Tensor, index: Sequence[Index], manifold: Manifold, *, scale: Scale) -> Tensor:
    """How far the components of W / scale are from their manifold, the largest error of what should be 1 or 0."""
    omega = W.reshape(_indexed_shape(W)) / scale
    if not manifolds.is_matrix(W.shape):  # every kernel is a component, whatever its block
        return manifold.departure(omega).amax()
    return torch.stack([manifold.departure(omega[rows_columns]).amax() for rows_columns in index]).amax()


def _indexed_shape(W: Tensor) -> torch.Size:
    return W.shape[:2] if manifolds.is_matrix(W.shape) else W.shape
