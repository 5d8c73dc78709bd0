"""Polar average in JAX: steps towards the corner of the spectral ball that the averaged gradients point to."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.products import matmul
from normbench.jax.updates.decompositions import svd
from normbench.jax.updates.through import Through

Arrays = tuple[Array, ...]

ROUNDING = 10  # of a singular value, in units of eps times the largest, for every row
INSIDE = 2  # by what the factor is shrunk, in units of eps for the root of rows: 1 + 26 eps were seen of 256 x 784


class PolarState(NamedTuple):
    """Variables where the gradients are taken, averaged gradients, and the number of steps."""

    P: Arrays
    m: Arrays
    count: Array


def polar_average(*, momentum: Array, offset: int, power: int) -> Method:
    """P <- (1 - eta) P - eta polar(m), eta = 2 / (k + offset); the point is at the weighted average of the P."""

    def init(objective: Through, variables: Arrays) -> PolarState:
        return PolarState(tuple(variables), tuple(jnp.zeros_like(P) for P in variables), jnp.zeros((), jnp.int32))

    def step(objective: Through, point: Any, state: PolarState) -> Step:
        gradient = objective.point(state.P).gradient
        new, average, eta = advanced(state, gradient, point.weights, momentum=momentum, offset=offset, power=power)
        return Step(objective.point(average), new, eta, evaluations=2)

    return Method(init, step)


def advanced(
    state: PolarState, gradient: Arrays, average: Arrays, *, momentum: Array, offset: Array | int, power: Array | int
) -> tuple[PolarState, Arrays, Array]:
    """The state and the average after a step with the gradient at P, and eta."""
    m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(state.m, gradient, strict=True))
    k = state.count.astype(state.P[0].dtype)
    eta = 2 / (k + offset)
    rho = (power + 1) / (k + power + 1)
    P = tuple(moved(p, a, eta) for p, a in zip(state.P, m, strict=True))
    mean = tuple(A + rho * (p - A) for A, p in zip(average, P, strict=True))
    return PolarState(P, m, state.count + 1), mean, eta


def moved(P: Array, m: Array, eta: Array, *, least: float = 0.0) -> Array:
    """(1 - eta) P - eta polar(m), or P where m is zero; NaN where m is not finite."""
    there = (1 - eta) * P - eta * polar(m, least=least)
    return jnp.where(jnp.isfinite(m).all(), jnp.where((m == 0).all(), P, there), jnp.nan)


def polar(m: Array, *, least: float = 0.0) -> Array:
    """U V^T of the thin singular value decomposition, without singular values that are rounding of a zero.

    Nor those of at most ``least`` times the largest. Its norm is at most 1 as it stands, by what rounding needs.
    """
    left, values, right = svd(m)
    eps, rows = float(jnp.finfo(m.dtype).eps), max(m.shape)
    kept = values > max(ROUNDING * rows * eps, least) * values[0]
    return matmul(left * ((1 - INSIDE * eps * math.sqrt(rows)) * kept), right)
