"""FG-SGD: descent on products of manifolds with a step bounded by the norm of the gradient (M. Ozay, Algorithm 1)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.geometry import MANIFOLDS, Manifold
from normbench.specs.manifolds import Partition, is_matrix, partition, scale

Pom = list[tuple]  # indices of the components of one product of manifolds


@dataclass(frozen=True)
class FGSGDState:
    """How many steps were taken, and the lambda by which each weight is scaled now."""

    count: int
    deviations: tuple[float, ...]


def learning_rate_at(count: int, *, learning_rate: float, decay: float) -> float:
    """r(t) = r0 / (1 + t)^decay, t = 0, 1, ...: sum r = inf, sum r^2 < inf for decay in (1/2, 1]        (eq. 4)."""
    return learning_rate / (1.0 + count) ** decay


def bound(size: float) -> float:
    """zeta = sqrt(max(1, R_g^2 (2 + R_g)^2))        (eq. 7), of which the root is taken first."""
    return max(size * (2 + size), 1.0)


def deviations_at(count: int, feature_std: Sequence[float] | None, layers: int) -> tuple[float, ...]:
    """lambda of every layer: 1 at the first step, then the deviation of its inputs, but never below 1 (section 4.1)."""
    if count == 0 or feature_std is None:
        return (1.0,) * layers
    return tuple(max(1.0, float(deviation)) for deviation in feature_std)


def fgsgd(
    *,
    learning_rate: float,
    decay: float,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    positions: Sequence[int] | None = None,
    feature_std: Sequence[float] | None = None,
) -> Update:
    """Algorithm 1; the step size is r(t).

    omega = W / (gamma / lambda_t),   V = -(r(t) / zeta) grad,   W' = (gamma / lambda_{t+1}) phi_omega(V)  (eq. 2-7)

    Gradients and weights have the shapes (fan_out, fan_in) or (out, in, height, width), in the order of the network.

    Parameters
    ----------
    learning_rate, decay, manifold, grouping, groups, partition_seed
        See :data:`normbench.specs.fgsgd.FGSGD`.
    positions : sequence of int, optional
        Pixels of the output map of each layer, see :func:`normbench.specs.manifolds.scale`; 1 each if None.
    feature_std : sequence of float, optional
        Running standard deviation of the features that feed each weight; 1 each if None.
    """

    def init(objective: Any, weights: Weights) -> FGSGDState:
        return FGSGDState(0, (1.0,) * len(weights))  # lambda = 1

    def step(gradient: Weights, weights: Weights, state: FGSGDState) -> tuple[Weights, FGSGDState, float]:
        rate = learning_rate_at(state.count, learning_rate=learning_rate, decay=decay)
        deviations = deviations_at(state.count, feature_std, len(weights))
        moved = []
        for layer, (G, W) in enumerate(zip(gradient, weights, strict=True)):
            sets = partition(W.shape, grouping=grouping, groups=groups, partition_seed=partition_seed, layer=layer)
            gamma = scale(W.shape, positions=positions[layer] if positions else 1)
            pair = state.deviations[layer], deviations[layer]
            moved.append(_layer_step(G, W, sets, gamma, pair, rate, MANIFOLDS[manifold]))
        return tuple(moved), FGSGDState(state.count + 1, deviations), rate

    return Update(init, step)


def _layer_step(
    G: np.ndarray,
    W: np.ndarray,
    sets: Partition,
    gamma: float,
    deviations: tuple[float, float],
    rate: float,
    manifold: Manifold,
) -> np.ndarray:
    now, then = deviations
    before, after = gamma / now, gamma / then
    new = W * (now / then)  # a product of manifolds with a zero gradient stays
    for pom in _poms(W.shape, sets):
        omega = [_component(W, index) / before for index in pom]
        # W = R omega, so the gradient with respect to omega is R times the one with respect to W
        slope = [before * _component(G, index) for index in pom]
        tangents = [manifold.projection(w, g) for w, g in zip(omega, slope, strict=True)]  # line 5
        size = math.sqrt(sum(float(np.vdot(t, t)) for t in tangents))  # eq. 6
        if size == 0.0:
            continue
        for index, w, t in zip(pom, omega, tangents, strict=True):
            point = after * manifold.retraction(w, t * (-rate / bound(size)))  # lines 6, 7
            new[index] = point.reshape(new[index].shape)
    return new


def _poms(shape: tuple[int, ...], sets: Partition) -> Iterator[Pom]:
    """Definition 1: a block of a matrix is one component; a block of kernels is a product of one per channel pair."""
    for rows in sets.outputs:
        for columns in sets.inputs:
            if is_matrix(shape):
                yield [np.ix_(rows, columns)]
            else:
                yield [(d, c) for d in rows for c in columns]


def _component(tensor: np.ndarray, index: tuple) -> np.ndarray:
    part = tensor[index]
    return part.reshape(part.shape[:2])  # a 1 x 1 kernel loses its two axes of pixels
