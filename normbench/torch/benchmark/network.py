"""Networks in torch: a module for every layer of :mod:`normbench.networks.base`, and the losses."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from normbench.networks import Loss, Network
from normbench.networks.base import (
    Attention,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LeakyRelu,
    MaxPool,
    Positions,
    Relu,
    Reshape,
    Residual,
    Scale,
    Shape,
    Tanh,
    Upsample,
    check_weights,
    output_shape,
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
    """The loss as :class:`normbench.networks.Loss` defines it, a 0-d tensor.

    Parameters
    ----------
    loss : Loss
    outputs : Tensor, shape (samples, ...)
        For cross-entropy, scores of the classes along the last axis.
    targets : Tensor
        As outputs, or for cross-entropy integer classes, shape (samples, ...) without the last axis.
    divisor : float
        Of the square loss.
    """
    if loss is Loss.SQUARE:
        return (outputs - targets).square().sum() / (2 * divisor * len(outputs))
    logs = outputs.log_softmax(dim=-1)
    if targets.is_floating_point():
        return -(targets * logs).sum(dim=-1).mean()
    return -logs.gather(-1, targets.unsqueeze(-1)).mean()


def _sequential(layers: tuple[Layer, ...], shape: Shape, factory: dict[str, Any]) -> nn.Sequential:
    modules = []
    for layer in layers:
        modules.append(_module(layer, shape, factory))
        shape = output_shape(layer, shape)
    return nn.Sequential(*modules)


def _module(layer: Layer, shape: Shape, factory: dict[str, Any]) -> nn.Module:
    """Module of a layer that takes samples of this shape."""
    match layer:
        case Dense(fan_in, fan_out):
            return _linear(fan_in, fan_out, factory)
        case Convolution(channels_in, channels_out, size, stride, padding):
            geometry = {"kernel_size": size, "stride": stride, "padding": padding, "bias": False}
            return nn.utils.skip_init(nn.Conv2d, channels_in, channels_out, **geometry, **factory)
        case Embedding(vocabulary, width):
            return nn.utils.skip_init(nn.Embedding, vocabulary, width, **factory)
        case Residual(body, shortcut):
            return _Residual(_sequential(body, shape, factory), _sequential(shortcut, shape, factory))
        case Attention(width, heads):
            return _Attention(width, heads, factory)
        case Positions():
            return _Positions(shape, factory)
    return _fixed_module(layer)


def _fixed_module(layer: Layer) -> nn.Module:
    """Module of a layer without weights."""
    match layer:
        case Relu():
            return nn.ReLU()
        case LeakyRelu(slope):
            return nn.LeakyReLU(slope)
        case Tanh():
            return nn.Tanh()
        case AveragePool(size):
            return nn.AvgPool2d(size)
        case MaxPool(size):
            return nn.MaxPool2d(size)
        case Upsample(factor):
            return nn.Upsample(scale_factor=factor, mode="nearest")
        case Flatten():
            return nn.Flatten()
        case Reshape(wanted):
            return _Reshape(wanted)
        case BatchNorm(epsilon):
            return _Standardised((0, 2, 3), epsilon)
        case LayerNorm(epsilon):
            return _Standardised((-1,), epsilon)
        case Scale(factor):
            return _Scale(factor)
    raise TypeError(f"no module for {layer}")


def _linear(fan_in: int, fan_out: int, factory: dict[str, Any]) -> nn.Module:
    return nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=False, **factory)


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


class _Standardised(nn.Module):
    """Written out: forward mode over forward mode takes the statistics of torch's fused norms for constants."""

    def __init__(self, axes: tuple[int, ...], epsilon: float) -> None:
        super().__init__()
        self.axes = axes
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=self.axes, keepdim=True)
        return centred * (centred.square().mean(dim=self.axes, keepdim=True) + self.epsilon).rsqrt()


class _Positions(nn.Module):
    table: Tensor

    def __init__(self, shape: Shape, factory: dict[str, Any]) -> None:
        super().__init__()
        self.register_buffer("table", torch.tensor(sinusoids(*shape), **factory), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


class _Reshape(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x
