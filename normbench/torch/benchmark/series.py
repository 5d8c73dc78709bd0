"""Outputs of a network along the geodesic as Taylor coefficients: two products a layer, and no tape.

Layers that are linear in weights and in samples apart, activations between them; other networks have no series here.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from normbench.networks import Network
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, entry, with_weights
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, Scale
from normbench.torch.benchmark.network import in_pairs


def has_series(network: Network) -> bool:
    """True if :func:`output_series` knows every layer."""
    return all(type(layer) in _WEIGHTED or type(layer) in _FIXED for layer in network.layers)


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
        series = _along(layer, *own[0], series) if own else entry(_FIXED, layer, "the series")(layer, series)
    return series


def _along(layer: Layer, weight: Tensor, speed: Tensor, moves: bool, series: Tensor) -> Tensor:
    """Coefficients of (W cos t + V sin t) h(t) from those of h(t)."""
    apply = entry(_WEIGHTED, layer, "the series")
    straight = apply(layer, weight, series)
    if not moves:
        return straight
    turned = apply(layer, speed, series[:-1])
    result = straight.clone()
    for k in range(1, len(series)):
        for j in range(1, k + 1):
            part = turned if j % 2 else straight
            result[k] += part[k - j] * ((-1) ** (j // 2) / math.factorial(j))
    return result


def _convolved(layer: Convolution, weight: Tensor, series: Tensor) -> Tensor:
    flat = functional.conv2d(series.flatten(0, 1), weight, stride=layer.stride, padding=layer.padding)
    return flat.unflatten(0, series.shape[:2])


def _tanh(series: Tensor) -> Tensor:
    """y = tanh(s) by y' = r s' with r = 1 - y^2: k y_k = sum_{j=1}^k j s_j r_{k-j}, r_k = -sum_{i=0}^k y_i y_{k-i}."""
    y = [series[0].tanh()]
    r = [1 - y[0].square()]
    for k in range(1, len(series)):
        y.append(sum(series[j] * r[k - j] * (j / k) for j in range(1, k + 1)))
        r.append(-sum(y[i] * y[k - i] for i in range(k + 1)))
    return torch.stack(y)


_WEIGHTED: dict[type[Layer], Callable[[Any, Tensor, Tensor], Tensor]] = {
    Dense: lambda layer, weight, series: functional.linear(series, weight),
    Convolution: _convolved,
}
"""The layer with this weight on every coefficient at once."""

_FIXED: dict[type[Layer], Callable[[Any, Tensor], Tensor]] = {
    Relu: lambda layer, series: series * (series[0] > 0),
    LeakyRelu: lambda layer, series: torch.where(series[0] > 0, series, layer.slope * series),
    Tanh: lambda layer, series: _tanh(series),
    MaxMin: lambda layer, series: in_pairs(series, series[:1], 2),  # by the value, whatever the coefficient
    AveragePool: lambda layer, series: functional.avg_pool2d(series.flatten(0, 1), layer.size).unflatten(
        0, series.shape[:2]
    ),
    Flatten: lambda layer, series: series.flatten(2),
    Scale: lambda layer, series: series * layer.factor,
}
"""Coefficients behind a layer without weights, from those in front."""
