"""Method 2 and its exponential variant in JAX (arXiv 2312.10672, eq. 22-23, Algorithm 3).

The line search works on three small Gram matrices a layer. With s = sin(t/2), c = cos(t/2) and Z = mu V,

    ||W (cos t - 1) + Z sin t||_op = 2 s ||c Z - s W||_op,
    ||c Z - s W||_op^2 = largest eigenvalue of S + D cos t - R sin t,
    S = (ZZ' + WW') / 2,  D = (ZZ' - WW') / 2,  R = (ZW' + WZ') / 2,

so one batched eigendecomposition gives P1 and, by perturbation of the top eigenvector, its two derivatives.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Update
from normbench.jax.norms import exponent, power, power_of_two, product
from normbench.jax.products import matmul
from normbench.jax.updates.spheres import Arrays, Directions, directions, geodesic, radii

TOLERANCE = 1e-5
COLD = 1e-8  # rad; where a search without a guess begins
GROWTH = 1.5  # of the step, until the majorant has been seen to rise: beyond pi/2 it may fall again
MAX_EVALUATIONS = 100
LARGE = 60  # an exponent of two beyond which 1 is nothing to the square root, and below that of every float


class MajorantState(NamedTuple):
    """Radii mu_i, Q = curvature gain^2 mean ||x||^2, and the last tau, where the line search begins."""

    mu: Arrays
    Q: Array
    tau: Array


Moved = tuple[Arrays, MajorantState, Array]


def method2(*, Q_unit: int = 0) -> Update:
    """Steepest descent along the geodesic, to the minimiser of the sinusoidal majorant (Algorithm 3).

    A kernel (d_k, d_{k-1}, height, width) counts as the matrix (d_k, d_{k-1} height width) that multiplies patches;
    what taking patches and pooling does to norms is part of Q, which is given in units of 2^``Q_unit``. The step size
    is tau in radians.
    """

    def step(gradient: Sequence[Array], weights: Sequence[Array], state: MajorantState) -> Moved:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        tau = sinusoidal_angle(weights, along, state.Q, guess=state.tau, Q_unit=Q_unit)
        return curve(tau), state._replace(tau=tau), tau

    return Update(_start, step)


def method2_exp(*, Q_unit: int = 0) -> Update:
    """Steepest descent along the geodesic, to the minimiser of the exponential majorant; the step size is tau."""

    def step(gradient: Sequence[Array], weights: Sequence[Array], state: MajorantState) -> Moved:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        tau = exponential_angle(along, state.mu, state.Q, Q_unit=Q_unit)
        return curve(tau), state, tau

    return Update(_start, step)


def _start(objective: Any, weights: Sequence[Array]) -> MajorantState:
    return MajorantState(radii(weights), objective.majorant_scale, jnp.zeros_like(objective.majorant_scale))


class Grams(NamedTuple):
    """S, D and R of every layer, zero-padded to one size; ||W_i||_op, their product P2 2^k, and which layers move."""

    S: Array
    D: Array
    R: Array
    norms: Array
    P2: Array
    k: Array
    moving: Array


def grams(weights: Sequence[Array], along: Directions) -> Grams:
    """Gram matrices on the shorter side of each layer, shape (layers, k, k); a kernel is unfolded to a matrix."""
    weights, velocities = ([layer.reshape(len(layer), -1) for layer in layers] for layers in (weights, along.velocity))
    size = max(min(w.shape) for w in weights)
    WW, ZZ, ZW = [], [], []
    for weight, velocity in zip(weights, velocities, strict=True):
        W, Z = (weight, velocity) if weight.shape[0] <= weight.shape[1] else (weight.T, velocity.T)
        pad = (0, size - W.shape[0])
        cross = matmul(Z, W.T)
        WW.append(jnp.pad(matmul(W, W.T), (pad, pad)))
        ZZ.append(jnp.pad(matmul(Z, Z.T), (pad, pad)))
        ZW.append(jnp.pad(cross + cross.T, (pad, pad)) / 2)
    WW, ZZ, ZW = jnp.stack(WW), jnp.stack(ZZ), jnp.stack(ZW)
    norms = jnp.sqrt(jnp.linalg.eigvalsh(WW)[:, -1])
    norms = jnp.where(norms == 0, 1, norms)  # a layer of zeros has no sphere: no factor of P1 or P2
    return Grams((ZZ + WW) / 2, (ZZ - WW) / 2, ZW, norms, *product(list(norms)), jnp.stack(along.moving))


def majorant_derivatives(gram: Grams, alpha: Array, beta: Array, Q: Array, t: Array) -> tuple[Array, Array]:
    """First and second derivative at t of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2  (eq. 22)."""
    cosine, sine = jnp.cos(t), jnp.sin(t)
    values, vectors = jnp.linalg.eigh(gram.S + cosine * gram.D - sine * gram.R)
    rates = -sine * gram.D - cosine * gram.R
    bends = -cosine * gram.D + sine * gram.R
    top, u = values[:, -1], vectors[:, :, -1:]
    coupling = matmul(vectors.mT, matmul(rates, u))[:, :, 0]
    first = coupling[:, -1]
    gaps = jnp.maximum(top[:, None] - values[:, :-1], 10 * jnp.finfo(top.dtype).eps * jnp.max(top))
    second = matmul(matmul(u.mT, bends), u)[:, 0, 0] + 2 * jnp.sum(jnp.square(coupling[:, :-1]) / gaps, axis=-1)
    # n = sqrt(top eigenvalue), d = 2 sin(t/2) n = ||dGamma||_op
    n = jnp.sqrt(top)
    n1 = first / (2 * n)
    n2 = second / (2 * n) - jnp.square(n1) / n
    s, c = 2 * jnp.sin(t / 2), jnp.cos(t / 2)
    d, d1, d2 = (jnp.where(gram.moving, x, 0) for x in (s * n, c * n + s * n1, -s / 4 * n + 2 * c * n1 + s * n2))
    relative = d1 / (gram.norms + d)
    total = jnp.sum(relative)
    spread = jnp.sum(d2 / (gram.norms + d) - jnp.square(relative))
    difference = gram.P2 * jnp.expm1(jnp.sum(jnp.log1p(d / gram.norms)))  # P1 - P2 without cancellation
    P1 = gram.P2 + difference
    first_derivative = -alpha * sine - beta * cosine + Q * difference * P1 * total
    second_derivative = -alpha * cosine + beta * sine + Q * P1 * (P1 * total**2 + difference * (total**2 + spread))
    return first_derivative, second_derivative


class _Search(NamedTuple):
    lower: Array
    upper: Array
    rises: Array
    t: Array
    evaluations: Array
    found: Array


def line_search(gram: Grams, alpha: Array, beta: Array, Q: Array, guess: Array, k: Array | int = 0) -> Array:
    """First minimiser of the majorant on [0, pi] (Algorithm 3): Newton on its derivative, safeguarded by bisection.

    ``Q`` is in units of 2^k of those of ``alpha`` and ``beta``. NaN where one of them is not finite.

    The majorant may have another minimum beyond pi/2, always a higher one as far as seen (docs/speed.md). Ends when a
    Newton step is below 1e-5 of tau: convergence is quadratic and the majorant all but a parabola there, so that the
    tau returned is exact to 1e-9 of itself, far better than 1e-8 rad.
    """

    def refine(search: _Search) -> _Search:
        first, second = majorant_derivatives(gram, alpha, beta, Q, search.t)
        falls = first < 0
        rises = search.rises | ~falls
        lower = jnp.where(falls, search.t, search.lower)
        upper = jnp.where(falls, search.upper, search.t)
        furthest = jnp.where(rises, upper, jnp.minimum(GROWTH * search.t, upper))
        newton = search.t - first / jnp.where(second > 0, second, jnp.nan)
        inside = (newton >= lower) & (newton <= furthest)
        step = jnp.where(inside, newton, jnp.where(rises, (lower + upper) / 2, furthest))
        small = jnp.abs(step - search.t) <= TOLERANCE * step
        found = small & (inside | (upper - lower <= TOLERANCE * step))
        return _Search(lower, upper, rises, step, search.evaluations + 1, found)

    unit = power_of_two(Q)
    Q = Q * (1 / unit) * power(exponent(unit) + k + 2 * gram.k, Q.dtype)
    known = jnp.isfinite(jnp.stack([alpha, beta, Q, gram.P2])).all()
    start = _Search(
        lower=jnp.zeros_like(guess),
        upper=jnp.full_like(guess, jnp.pi),
        rises=jnp.zeros((), bool),
        t=jnp.where(guess > COLD, guess, COLD),  # also after a step of NaN
        evaluations=jnp.zeros((), jnp.int32),
        found=~(known & (beta > 0)),
    )
    end = jax.lax.while_loop(lambda s: ~s.found & (s.evaluations < MAX_EVALUATIONS), refine, start)
    return jnp.where(known, jnp.where(beta > 0, end.t, 0), jnp.nan)


def sinusoidal_angle(weights: Sequence[Array], along: Directions, Q: Array, *, guess: Array, Q_unit: int = 0) -> Array:
    """tau at which the sinusoidal majorant is least; ``guess`` starts the line search (the last tau, or 0)."""
    inverses = [1 / scale for scale in along.scales]
    near_one = along._replace(velocity=tuple(v * s for v, s in zip(along.velocity, inverses, strict=True)))
    gram = grams([w * s for w, s in zip(weights, inverses, strict=True)], near_one)
    scales = sum(exponent(scale) for scale in along.scales)  # of P2
    k = Q_unit + 2 * scales - along.exponent
    return line_search(gram, along.alpha, along.beta, Q, guess, k)


def exponential_angle(along: Directions, mu: Sequence[Array], Q: Array, *, Q_unit: int = 0) -> Array:
    """tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,   P = prod mu_i."""
    spheres = [r != 0 for r in mu]  # a layer of zeros has none, and L does not count it
    depth = len(mu)
    excess = depth / jnp.maximum(sum(sphere.astype(Q.dtype) for sphere in spheres), 1)  # 1: L stays a constant
    unit = power_of_two(Q)
    layers = zip(mu, along.scales, spheres, strict=True)
    P, k = product([jnp.where(sphere, r * (1 / scale), 1) for r, scale, sphere in layers])
    k += sum(exponent(scale) for scale in along.scales)
    ratio = 4 * along.beta / (P**2 * (Q * (1 / unit)) * depth) * excess
    k = along.exponent - 2 * k - exponent(unit) - Q_unit
    return _half_log(ratio, k) / depth * excess


def _half_log(ratio: Array, k: Array) -> Array:
    """log((1 + sqrt(1 + c)) / 2), c = ratio 2^k: with all digits at small c, and where c itself is out of range."""
    c = ratio * power(jnp.minimum(k, LARGE), ratio.dtype)
    within = jnp.log1p(c / (2 * (1 + jnp.sqrt(1 + c))))
    beyond = (jnp.log(ratio) + k * math.log(2)) / 2 - math.log(2)
    return jnp.where((k > LARGE) & (ratio > 0), beyond, within)
