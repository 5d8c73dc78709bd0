"""FG-SGD in JAX (M. Ozay, Algorithm 1), all products of manifolds of one shape in one call of each operation."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.norms import norm
from normbench.jax.updates.geometry import MANIFOLDS, Manifold
from normbench.jax.updates.spheres import Arrays
from normbench.specs import manifolds

STEEP = 1e15  # a norm whose square any float can hold


class FGSGDState(NamedTuple):
    """How many steps were taken, and the lambda by which each weight is scaled now."""

    count: Array
    deviations: Arrays


def learning_rate_at(count: Array, *, learning_rate: float | Array, decay: float | Array) -> Array:
    """r(t) = r0 / (1 + t)^decay, t = 0, 1, ...: sum r = inf, sum r^2 < inf for decay in (1/2, 1]        (eq. 4)."""
    return learning_rate / (1 + count) ** decay


def bound(size: Array) -> Array:
    """zeta = sqrt(max(1, R_g^2 (2 + R_g)^2))        (eq. 7), of which the root is taken first."""
    return jnp.maximum(size * (2 + size), 1)


def _bounded(tangent: Array, size: Array, rate: Array) -> Array:
    """-(r / zeta) grad, in two factors where zeta is out of range; NaN and infinity show."""
    steep = size > STEEP
    shrunk = tangent * jnp.where(steep, 1 / size, 1)
    return shrunk * (-rate / jnp.where(steep, 2 + size, bound(size)))


def deviations_at(count: Array, feature_std: Sequence[float | Array] | None, weights: Sequence[Array]) -> Arrays:
    """lambda of every layer: 1 at the first step, then the deviation of its inputs, but never below 1 (section 4.1)."""
    if feature_std is None:
        return tuple(jnp.ones((), w.dtype) for w in weights)
    pairs = zip(feature_std, weights, strict=True)
    return tuple(jnp.where(count > 0, jnp.maximum(jnp.asarray(s, w.dtype), 1), 1) for s, w in pairs)


def fgsgd(
    *,
    learning_rate: float | Array,
    decay: float | Array,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    positions: Sequence[int] | None = None,
    feature_std: Sequence[float | Array] | None = None,
) -> Update:
    """Algorithm 1; the step size is r(t).

    omega = W / (gamma / lambda_t),   V = -(r(t) / zeta) grad,   W' = (gamma / lambda_{t+1}) phi_omega(V)  (eq. 2-7)

    Parameters as :func:`normbench.reference.fgsgd.fgsgd`; names, numbers of groups and positions are static.
    """

    def init(objective: Any, weights: Sequence[Array]) -> FGSGDState:
        return FGSGDState(jnp.zeros((), jnp.int32), tuple(jnp.ones((), w.dtype) for w in weights))  # lambda = 1

    def step(
        gradient: Sequence[Array], weights: Sequence[Array], state: FGSGDState
    ) -> tuple[Arrays, FGSGDState, Array]:
        rate = learning_rate_at(state.count.astype(weights[0].dtype), learning_rate=learning_rate, decay=decay)
        deviations = deviations_at(state.count, feature_std, weights)
        sets = {"grouping": grouping, "groups": groups, "partition_seed": partition_seed}
        moved = []
        for layer, (G, W) in enumerate(zip(gradient, weights, strict=True)):
            blocks = manifolds.blocks(W.shape, layer=layer, **sets)
            gamma = manifolds.scale(W.shape, positions=positions[layer] if positions else 1)
            pair = state.deviations[layer], deviations[layer]
            moved.append(_layer_step(G, W, blocks, MANIFOLDS[manifold], rate=rate, gamma=gamma, deviations=pair))
        return tuple(moved), FGSGDState(state.count + 1, deviations), rate

    return Update(init, step)


def _layer_step(
    G: Array,
    W: Array,
    blocks: Sequence[manifolds.Blocks],
    manifold: Manifold,
    *,
    rate: Array,
    gamma: float,
    deviations: tuple[Array, Array],
) -> Array:
    now, then = deviations
    before, after = gamma / now, gamma / then
    shape = W.shape[:2] if manifolds.is_matrix(W.shape) else W.shape
    G, W, whole = G.reshape(shape), W.reshape(shape), W.shape
    new = W * (now / then)  # a product of manifolds with a zero gradient stays
    for block in blocks:
        index = block.rows[:, :, None], block.columns[:, None, :]
        omega = W[index] / before
        # W = R omega, so the gradient with respect to omega is R times the one with respect to W
        tangent = manifold.projection(omega, G[index] * before)  # line 5
        size = norm(tangent, axes=tuple(range(1, tangent.ndim)))  # eq. 6
        moved = manifold.retraction(omega, _bounded(tangent, size, rate))  # lines 6, 7
        # written so that NaN moves, and is seen as a diverged loss
        new = new.at[index].set(jnp.where(size == 0, new[index], moved * after), unique_indices=True)
    return new.reshape(whole)
