"""Method 2 and its exponential variant in torch (arXiv 2312.10672, eq. 22-23, Algorithm 3).

The line search works on three small Gram matrices a layer. With s = sin(t/2), c = cos(t/2) and Z = mu V,

    ||W (cos t - 1) + Z sin t||_op = 2 s ||c Z - s W||_op,
    ||c Z - s W||_op^2 = largest eigenvalue of S + D cos t - R sin t,
    S = (ZZ' + WW') / 2,  D = (ZZ' - WW') / 2,  R = (ZW' + WZ') / 2,

so one batched eigendecomposition gives P1 and, by perturbation of the top eigenvector, its two derivatives.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Update
from normbench.torch.updates.spheres import Directions, directions, geodesic, radii

TOLERANCE = 1e-5
COLD = 1e-8  # rad; where a search without a guess begins
GROWTH = 1.5  # of the step, until the majorant has been seen to rise: beyond pi/2 it may fall again
MAX_EVALUATIONS = 100
SMALLEST, LARGEST = 1e-140, 1e140  # of products that are multiplied further
EXPONENT = 700.0  # beyond it exp overflows


class MajorantState(NamedTuple):
    """Radii mu_i, Q = curvature gain^2 mean ||x||^2, and the last tau, where the line search begins."""

    mu: list[float]
    Q: float
    tau: float = 0.0


Moved = tuple[list[Tensor], MajorantState, float]


def method2() -> Update:
    """Steepest descent along the geodesic, to the minimiser of the sinusoidal majorant (Algorithm 3).

    A kernel (d_k, d_{k-1}, height, width) counts as the matrix (d_k, d_{k-1} height width) that multiplies patches;
    what taking patches and pooling does to norms is part of Q. The step size is tau in radians.
    """

    def step(gradient: Sequence[Tensor], weights: Sequence[Tensor], state: MajorantState) -> Moved:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        tau = sinusoidal_angle(weights, along, state.Q, guess=state.tau)
        return curve(tau), state._replace(tau=tau), tau

    return Update(_start, step)


def method2_exp() -> Update:
    """Steepest descent along the geodesic, to the minimiser of the exponential majorant; the step size is tau."""

    def step(gradient: Sequence[Tensor], weights: Sequence[Tensor], state: MajorantState) -> Moved:
        along = directions(gradient, weights, state.mu)
        curve = geodesic(weights, along, state.mu)
        tau = exponential_angle(along.beta, state.mu, state.Q)
        return curve(tau), state, tau

    return Update(_start, step)


def _start(objective: Any, weights: Sequence[Tensor]) -> MajorantState:
    return MajorantState(radii(weights), objective.majorant_scale)


def sinusoidal_angle(weights: Sequence[Tensor], along: Directions, Q: float, *, guess: float) -> float:
    """tau at which the sinusoidal majorant is least; ``guess`` starts the line search (the last tau, or 0)."""
    if not any(along.moving):
        return 0.0
    if not (math.isfinite(along.alpha) and math.isfinite(along.beta)):
        return math.nan  # a gradient that is not finite shows in every layer that moves
    gram, Q = _in_range(grams(weights, along), Q)
    return line_search(gram, along.alpha, along.beta, Q, guess if math.isfinite(guess) else 0.0)


class Grams(NamedTuple):
    """S, D and R of every moving layer, zero-padded to one size, and ||W_i||_op; all float64.

    P2 is the product of the norms of all layers that have a sphere, and logarithm that of P2.
    """

    S: Tensor
    D: Tensor
    R: Tensor
    norms: Tensor
    P2: float
    logarithm: float


def grams(weights: Sequence[Tensor], along: Directions) -> Grams:
    """Gram matrices on the shorter side of each layer, kernels unfolded, shape (layers that move, k, k)."""
    size = max(min(len(w), w[0].numel()) for w in weights)
    WW, ZZ, ZW = [], [], []
    for weight, velocity in zip(weights, along.velocity, strict=True):
        W, Z = weight.double().flatten(1), velocity.double().flatten(1)
        if W.shape[0] > W.shape[1]:
            W, Z = W.T, Z.T
        pad = (0, size - W.shape[0]) * 2
        cross = Z @ W.T
        WW.append(torch.nn.functional.pad(W @ W.T, pad))
        ZZ.append(torch.nn.functional.pad(Z @ Z.T, pad))
        ZW.append(torch.nn.functional.pad(cross + cross.T, pad) / 2)
    norms = torch.linalg.eigvalsh(torch.stack(WW))[:, -1].sqrt()
    factors = norms[norms != 0.0]  # a layer of zeros has no sphere
    P2 = float(factors.prod())
    logarithm = math.log(P2) if SMALLEST < P2 < LARGEST else float(factors.log().sum())
    keep = [k for k, moves in enumerate(along.moving) if moves]
    WW, ZZ, ZW = (torch.stack([matrices[k] for k in keep]) for matrices in (WW, ZZ, ZW))
    return Grams((ZZ + WW) / 2, (ZZ - WW) / 2, ZW, norms[keep], P2, logarithm)


def majorant_derivatives(gram: Grams, alpha: float, beta: float, Q: float, t: float) -> tuple[float, float]:
    """First and second derivative at t of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2  (eq. 22)."""
    cosine, sine = math.cos(t), math.sin(t)
    values, vectors = torch.linalg.eigh(gram.S + cosine * gram.D - sine * gram.R)
    rates = -sine * gram.D - cosine * gram.R
    bends = -cosine * gram.D + sine * gram.R
    top, u = values[:, -1], vectors[:, :, -1:]
    coupling = (vectors.mT @ (rates @ u)).squeeze(-1)
    first = coupling[:, -1]
    gaps = (top[:, None] - values[:, :-1]).clamp_min(1e-12 * top[:, None])
    second = (u.mT @ bends @ u).flatten() + 2 * (coupling[:, :-1].square() / gaps).sum(-1)
    # n = sqrt(top eigenvalue), d = 2 sin(t/2) n = ||dGamma||_op
    n = top.sqrt()
    n1 = first / (2 * n)
    n2 = second / (2 * n) - n1.square() / n
    s, c = 2 * math.sin(t / 2), math.cos(t / 2)
    d, d1, d2 = s * n, c * n + s * n1, -s / 4 * n + 2 * c * n1 + s * n2
    relative = d1 / (gram.norms + d)
    total = float(relative.sum())
    spread = float((d2 / (gram.norms + d) - relative.square()).sum())
    growth = float(torch.log1p(d / gram.norms).sum())
    if growth > EXPONENT:
        return math.inf, math.inf  # P1 rises beyond all floats
    difference = gram.P2 * math.expm1(growth)  # P1 - P2 without cancellation
    P1 = gram.P2 + difference
    first_derivative = -alpha * sine - beta * cosine + Q * difference * P1 * total
    second_derivative = -alpha * cosine + beta * sine + Q * P1 * (P1 * total**2 + difference * (total**2 + spread))
    return first_derivative, second_derivative


def line_search(gram: Grams, alpha: float, beta: float, Q: float, guess: float) -> float:
    """First minimiser of the majorant on [0, pi] (Algorithm 3): Newton on its derivative, safeguarded by bisection.

    The majorant may have another minimum beyond pi/2, always a higher one as far as seen (docs/speed.md). Ends when a
    Newton step is below 1e-5 of tau: convergence is quadratic and the majorant all but a parabola there, so that the
    tau returned is exact to 1e-9 of itself, far better than 1e-8 rad.
    """
    lower, upper, t = 0.0, math.pi, max(guess, COLD)
    rises = False
    for _ in range(MAX_EVALUATIONS):
        first, second = majorant_derivatives(gram, alpha, beta, Q, t)
        if first < 0.0:
            lower = t
        else:
            upper, rises = t, True
        furthest = upper if rises else min(GROWTH * t, upper)
        newton = t - first / second if second > 0.0 else math.inf
        inside = lower <= newton <= furthest
        cautious = (lower + upper) / 2 if rises else furthest
        step = newton if inside else cautious
        if abs(step - t) <= TOLERANCE * step and (inside or upper - lower <= TOLERANCE * step):
            return step
        t = step
    return t


def _in_range(gram: Grams, Q: float) -> tuple[Grams, float]:
    """The same majorant, which knows Q and P2 by Q P2^2 alone, with P2 = 1 where that square is beyond a float."""
    if SMALLEST < gram.P2 < LARGEST and SMALLEST < Q * gram.P2 * gram.P2 < LARGEST:
        return gram, Q
    exponent = math.log(Q) + 2 * gram.logarithm
    # beyond these the step is as good as 0 or as long as the weights allow; the derivatives must stay finite
    return gram._replace(P2=1.0), min(max(math.exp(min(exponent, EXPONENT)), SMALLEST), LARGEST)


def exponential_angle(beta: float, mu: Sequence[float], Q: float) -> float:
    """tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,   P = prod mu_i."""
    if beta == 0.0 or not math.isfinite(beta):
        return beta if beta == 0.0 else math.nan
    mu = [radius for radius in mu if radius != 0.0]  # a layer of zeros has no sphere
    depth = len(mu)
    P = math.prod(mu)
    if SMALLEST < P < LARGEST and SMALLEST < P * P * Q < LARGEST:
        ratio = 4 * beta / (P**2 * Q * depth)
        if ratio < LARGEST:
            return math.log1p(ratio / (2 * (1 + math.sqrt(1 + ratio)))) / depth
    logarithm = math.log(4 * beta / depth) - math.log(Q) - 2 * sum(math.log(r) for r in mu)
    if logarithm > math.log(LARGEST):
        return (logarithm / 2 - math.log(2)) / depth  # (1 + sqrt(1 + ratio)) / 2 = sqrt(ratio) / 2 to all digits
    ratio = math.exp(logarithm)
    return math.log1p(ratio / (2 * (1 + math.sqrt(1 + ratio)))) / depth
