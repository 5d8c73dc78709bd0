"""Geometry of the product of spheres in torch: directions and the exponential map (arXiv 2312.10672, eq. 5-6).

Beside the spheres there may be flat parameters, an extension of ours for biases and gains: they move on straight lines.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Directions(NamedTuple):
    """Tangent velocities mu_i V_i, which layers move, alpha, beta of eq. 23 over those that do, and which are flat."""

    velocity: list[Tensor]
    moving: list[bool]
    alpha: float
    beta: float
    flat: Sequence[bool]

    @property
    def bending(self) -> list[bool]:
        """Which layers move on a sphere: Gamma'' = -Gamma there, and Gamma'' = 0 elsewhere."""
        return [moves and not flat for moves, flat in zip(self.moving, self.flat, strict=True)]


def radii(weights: Sequence[Tensor]) -> list[float]:
    """mu_i = ||W_i||_F of every layer."""
    return [float(torch.linalg.vector_norm(w)) for w in weights]


def directions(
    gradient: Sequence[Tensor], weights: Sequence[Tensor], mu: Sequence[float], flat: Sequence[bool] | None = None
) -> Directions:
    """Unit tangents of steepest descent, times the radii.

    Proj_W(G) = G - <W, G> W / mu^2,   V = -Proj_W(G) / ||Proj_W(G)||     (eq. 6)

    A layer whose projection vanishes up to rounding rests: its velocity is zero. For a flat layer Proj_W(G) = G, and
    mu is the length of its velocity.
    """
    flat = [False] * len(weights) if flat is None else flat
    along = [torch.sum(w * g) for w, g in zip(weights, gradient, strict=True)]
    tangents = [
        g if straight else g - w * (a / r**2)
        for g, w, a, r, straight in zip(gradient, weights, along, mu, flat, strict=True)
    ]
    table = torch.stack(
        [
            torch.stack([torch.linalg.vector_norm(t) for t in tangents]),
            torch.stack([torch.linalg.vector_norm(g) for g in gradient]),
            torch.stack(along),
        ]
    ).tolist()
    tolerance = 10 * torch.finfo(gradient[0].dtype).eps
    # written so that NaN moves, and is seen as a diverged loss at the next point
    moving = [not size <= tolerance * whole for size, whole in zip(table[0], table[1], strict=True)]
    velocity = [
        t * (-r / size) if m else torch.zeros_like(t)
        for t, r, size, m in zip(tangents, mu, table[0], moving, strict=True)
    ]
    alpha = sum(a for a, m in zip(table[2], moving, strict=True) if m)
    beta = sum(r * size for r, size, m in zip(mu, table[0], moving, strict=True) if m)
    return Directions(velocity, moving, alpha, beta, flat)


def exponential_map(weights: Sequence[Tensor], along: Directions, angle: float, mu: Sequence[float]) -> list[Tensor]:
    """Gamma_i(t) = W_i cos t + mu_i V_i sin t (eq. 5), scaled back to the radius against rounding.

    A flat layer goes to W_i + t mu_i V_i.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    moved = []
    for weight, velocity, moves, flat, radius in zip(
        weights, along.velocity, along.moving, along.flat, mu, strict=True
    ):
        if not moves:
            moved.append(weight)
        elif flat:
            moved.append(weight + velocity * angle)
        else:
            point = weight * cosine + velocity * sine
            moved.append(point.mul_(radius / torch.linalg.vector_norm(point)))
    return moved
