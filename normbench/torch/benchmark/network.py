"""Networks in torch: a module for every layer of :mod:`normbench.networks.base`, and the losses."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from normbench.networks import Loss, Network
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, Residual, Shape, check_weights, entry
from normbench.networks.layers import (
    Attention,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    MaxPool,
    Positions,
    Reshape,
    Scale,
    Upsample,
)
from normbench.networks.positions import sinusoids


def build(
    network: Network, weights: Sequence[np.ndarray], *, dtype: torch.dtype, device: torch.device | str
) -> nn.Module:
    """A module with these weights; it can be differentiated as often as wanted, backwards and forwards.

    Its parameters come in the order of ``network.weight_shapes``, and no random numbers are drawn.

    Raises
    ------
    InvalidArgumentError
        If the weights or the layers do not fit.
    """
    check_weights(network, (weight.shape for weight in weights))
    module = _sequential(network.layers, network.input_shape, {"dtype": dtype, "device": device})
    with torch.no_grad():
        for parameter, weight in zip(module.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(weight))
    return module


def loss_value(loss: Loss, outputs: Tensor, targets: Tensor, divisor: float) -> Tensor:
    """The loss as :class:`normbench.networks.Loss` defines it, a 0-d tensor."""
    if loss is Loss.SQUARE:
        return (outputs - targets).square().sum() / (2 * divisor * len(outputs))
    logs = outputs.log_softmax(dim=-1)
    if targets.is_floating_point():
        return -(targets * logs).sum(dim=-1).mean()
    return -logs.gather(-1, targets.unsqueeze(-1)).mean()


def _sequential(layers: tuple[Layer, ...], shape: Shape, factory: dict[str, Any]) -> nn.Sequential:
    modules = []
    for layer in layers:
        modules.append(entry(_MODULES, layer, "torch")(layer, shape, factory))
        shape = layer.output_shape(shape)
    return nn.Sequential(*modules)


def _linear(fan_in: int, fan_out: int, factory: dict[str, Any]) -> nn.Module:
    return nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=False, **factory)


def _convolution(layer: Convolution, shape: Shape, factory: dict[str, Any]) -> nn.Module:
    geometry = {"kernel_size": layer.size, "stride": layer.stride, "padding": layer.padding, "bias": False}
    return nn.utils.skip_init(nn.Conv2d, layer.channels_in, layer.channels_out, **geometry, **factory)


class _Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class _Attention(nn.Module):
    """Written out: the fused kernels have no second derivative."""

    def __init__(self, width: int, heads: int, factory: dict[str, Any]) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (_linear(width, width, factory) for _ in range(4))
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (self._split(project(x)) for project in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        mixed = scores.masked_fill(future, -math.inf).softmax(dim=-1) @ value
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, time, width) to (batch, heads, time, width / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class _Applied(nn.Module):
    """A function without parameters as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _standardised(x: Tensor, axes: tuple[int, ...], epsilon: float) -> Tensor:
    """Written out: forward mode over forward mode takes the statistics of torch's fused norms for constants."""
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred * (centred.square().mean(dim=axes, keepdim=True) + epsilon).rsqrt()


class _Positions(nn.Module):
    table: Tensor

    def __init__(self, shape: Shape, factory: dict[str, Any]) -> None:
        super().__init__()
        self.register_buffer("table", torch.tensor(sinusoids(*shape), **factory), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


def in_pairs(x: Tensor, by: Tensor, axis: int) -> Tensor:
    """Entries 2i and 2i + 1 of ``x`` along an axis, swapped where those of ``by`` ascend; a last odd one stays."""
    even = x.shape[axis] // 2 * 2
    first, second = x.narrow(axis, 0, even).unflatten(axis, (-1, 2)).unbind(axis + 1)
    one, other = by.narrow(axis, 0, even).unflatten(axis, (-1, 2)).unbind(axis + 1)
    ascends = other > one
    pairs = torch.stack([torch.where(ascends, second, first), torch.where(ascends, first, second)], axis + 1)
    return torch.cat([pairs.flatten(axis, axis + 1), x.narrow(axis, even, x.shape[axis] - even)], axis)


_MODULES: dict[type[Layer], Callable[[Any, Shape, dict[str, Any]], nn.Module]] = {
    Dense: lambda layer, shape, factory: _linear(layer.fan_in, layer.fan_out, factory),
    Convolution: _convolution,
    Embedding: lambda layer, shape, factory: nn.utils.skip_init(nn.Embedding, layer.vocabulary, layer.width, **factory),
    Residual: lambda layer, shape, factory: _Residual(
        _sequential(layer.body, shape, factory), _sequential(layer.shortcut, shape, factory)
    ),
    Attention: lambda layer, shape, factory: _Attention(layer.width, layer.heads, factory),
    Positions: lambda layer, shape, factory: _Positions(shape, factory),
    Relu: lambda *_: nn.ReLU(),
    LeakyRelu: lambda layer, *_: nn.LeakyReLU(layer.slope),
    Tanh: lambda *_: nn.Tanh(),
    MaxMin: lambda *_: _Applied(lambda x: in_pairs(x, x, 1)),
    AveragePool: lambda layer, *_: nn.AvgPool2d(layer.size),
    MaxPool: lambda layer, *_: nn.MaxPool2d(layer.size, layer.step, layer.padding),
    Upsample: lambda layer, *_: nn.Upsample(scale_factor=layer.factor, mode="nearest"),
    Flatten: lambda *_: nn.Flatten(),
    Reshape: lambda layer, *_: _Applied(lambda x: x.reshape(len(x), *layer.shape)),
    BatchNorm: lambda layer, *_: _Applied(lambda x: _standardised(x, (0, 2, 3), layer.epsilon)),
    LayerNorm: lambda layer, *_: _Applied(lambda x: _standardised(x, (-1,), layer.epsilon)),
    Scale: lambda layer, *_: _Applied(lambda x: layer.factor * x),
}
"""The module of every kind of layer, from the layer, the shape of a sample in front of it, and dtype and device."""
