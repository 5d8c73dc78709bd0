"""Outputs of a network along the geodesic as Taylor coefficients: two products a layer, and no tape.

Layers that are linear in weights and in samples apart, ReLUs between them; other networks have no series here.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from normbench.networks import Network
from normbench.networks.base import AveragePool, Convolution, Dense, Flatten, Layer, Relu, Scale, with_weights

_FIXED = (Relu, AveragePool, Flatten, Scale)


def has_series(network: Network) -> bool:
    """True if :func:`output_series` knows every layer."""
    return all(isinstance(layer, (Dense, Convolution, *_FIXED)) for layer in network.layers)


def output_series(
    network: Network,
    weights: Sequence[Tensor],
    velocity: Sequence[Tensor],
    turning: Sequence[bool],
    x: Tensor,
    order: int,
) -> Tensor:
    """Taylor coefficients of f(x; Gamma(t)) at t = 0, shape (order + 1, samples, ...)  (arXiv 2312.10672, eq. 7).

    Gamma_i(t) = W_i cos t + velocity_i sin t; a layer that does not turn keeps Gamma_i(t) = W_i.
    """
    series = torch.cat([x[None], x.new_zeros((order, *x.shape))])
    for layer, own in with_weights(network.layers, list(zip(weights, velocity, turning, strict=True))):
        series = _along(layer, *own[0], series) if own else _fixed(layer, series)
    return series


def _along(layer: Layer, weight: Tensor, speed: Tensor, moves: bool, series: Tensor) -> Tensor:
    """Coefficients of (W cos t + V sin t) h(t) from those of h(t)."""
    straight = _apply(layer, weight, series)
    if not moves:
        return straight
    turned = _apply(layer, speed, series[:-1])
    result = straight.clone()
    for k in range(1, len(series)):
        for j in range(1, k + 1):
            part = turned if j % 2 else straight
            result[k] += part[k - j] * ((-1) ** (j // 2) / math.factorial(j))
    return result


def _apply(layer: Layer, weight: Tensor, series: Tensor) -> Tensor:
    """The layer on every coefficient at once."""
    if isinstance(layer, Convolution):
        flat = functional.conv2d(series.flatten(0, 1), weight, stride=layer.stride, padding=layer.padding)
        return flat.unflatten(0, series.shape[:2])
    return functional.linear(series, weight)


def _fixed(layer: Layer, series: Tensor) -> Tensor:
    match layer:
        case Relu():
            return series * (series[0] > 0)
        case AveragePool(size):
            return functional.avg_pool2d(series.flatten(0, 1), size).unflatten(0, series.shape[:2])
        case Scale(factor):
            return series * factor
    return series.flatten(2)  # Flatten
