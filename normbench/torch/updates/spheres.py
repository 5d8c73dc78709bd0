"""Direction and geometry of methods 1 and 2 in torch: steepest descent along geodesics of the product of spheres.

arXiv 2312.10672, eq. 5-6. How far to go is the search of each method. Beside the spheres there may be straight
parameters, an extension of ours for biases and gains: they move on straight lines.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from normbench.torch.norms import HIGH, LOW, WITHOUT_FLOAT64, exact_norm, host_norms


class Directions(NamedTuple):
    """Tangent velocities mu_i V_i, which layers move, alpha, beta of eq. 23 over those that do, which are straight."""

    velocity: list[Tensor]
    moving: list[bool]
    alpha: float
    beta: float
    straight: Sequence[bool]

    @property
    def turning(self) -> list[bool]:
        """Which layers move on a sphere: Gamma'' = -Gamma there, and Gamma'' = 0 elsewhere."""
        return [moves and not straight for moves, straight in zip(self.moving, self.straight, strict=True)]


def radii(weights: Sequence[Tensor]) -> list[float]:
    """mu_i = ||W_i||_F of every layer."""
    return host_norms(weights)


def directions(
    gradient: Sequence[Tensor], weights: Sequence[Tensor], mu: Sequence[float], straight: Sequence[bool] | None = None
) -> Directions:
    """Unit tangents of steepest descent, times the radii.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    A layer whose projection vanishes up to rounding rests: its velocity is zero. So does a layer of radius zero, which
    has no sphere. For a straight layer Proj_W(G) = G, and mu is the length of its velocity.
    """
    straight = [False] * len(weights) if straight is None else straight
    measured = _measured(gradient, weights, mu, straight)
    for k, (_, size, whole, _) in enumerate(measured):
        if not (_common(mu[k]) and _common(whole) and (_common(size) or size <= _resting(gradient[k]) * whole)):
            measured[k] = _in_doubles(gradient[k], weights[k], mu[k], straight[k])
    # written so that NaN and infinity move, and are seen as a diverged loss at the next point
    moving = [  # a projection at radius zero is nothing, whatever the gradient
        not (size if r else 0.0) <= _resting(g) * whole < math.inf
        for g, (_, size, whole, _), r in zip(gradient, measured, mu, strict=True)
    ]
    velocity = [
        (t * (-r / size)).to(g.dtype) if m else torch.zeros_like(g)
        for g, (t, size, _, _), r, m in zip(gradient, measured, mu, moving, strict=True)
    ]
    alpha = sum(a for (_, _, _, a), m in zip(measured, moving, strict=True) if m)
    beta = sum(r * size for r, (_, size, _, _), m in zip(mu, measured, moving, strict=True) if m)
    return Directions(velocity, moving, alpha, beta, straight)


def _resting(g: Tensor) -> float:
    """The share of ||G|| below which its projection is rounding."""
    return 10 * float(torch.finfo(g.dtype).eps)


def _common(size: float) -> bool:
    """Whether float32 can square it."""
    return LOW < size < HIGH


Measured = tuple[Tensor, float, float, float]


def _measured(
    gradient: Sequence[Tensor], weights: Sequence[Tensor], mu: Sequence[float], straight: Sequence[bool]
) -> list[Measured]:
    """Proj_W(G), its norm, ||G|| and <W, G> of every layer; waits once for the device."""
    along = [torch.sum(w * g) for w, g in zip(weights, gradient, strict=True)]
    tangents = [
        g if line or r == 0.0 else g - w * (a / r**2)
        for g, w, a, r, line in zip(gradient, weights, along, mu, straight, strict=True)
    ]
    table = torch.stack(
        [
            torch.stack([torch.linalg.vector_norm(t) for t in tangents]),
            torch.stack([torch.linalg.vector_norm(g) for g in gradient]),
            torch.stack(along),
        ]
    ).tolist()
    return list(zip(tangents, *table, strict=True))


def _in_doubles(g: Tensor, w: Tensor, r: float, straight: bool) -> Measured:
    """What :func:`_measured` gives of one layer whose squares float32 may not hold."""
    if g.dtype == torch.float64 or g.device.type in WITHOUT_FLOAT64:
        return _measured([g], [w], [r], [straight])[0]
    return _measured([g.double()], [w.double()], [r], [straight])[0]


def geodesic(weights: Sequence[Tensor], along: Directions, mu: Sequence[float]) -> Callable[[float], list[Tensor]]:
    """The curve Gamma_i(t) = W_i cos t + mu_i V_i sin t (eq. 5), scaled back to the radius against rounding.

    A function of t in radians; a straight layer goes to W_i + t mu_i V_i.
    """

    def curve(angle: float) -> list[Tensor]:
        cosine, sine = math.cos(angle), math.sin(angle)
        moved = []
        layers = zip(weights, along.velocity, along.moving, along.straight, mu, strict=True)
        for weight, velocity, moves, straight, radius in layers:
            if not moves:
                moved.append(weight)
            elif straight:
                moved.append(weight + velocity * angle)
            else:
                point = weight * cosine + velocity * sine
                size = torch.linalg.vector_norm(point) if _common(radius) else exact_norm(point)
                moved.append(point.mul_(radius / size))
        return moved

    return curve
