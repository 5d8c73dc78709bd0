"""Networks in JAX: what every layer of :mod:`normbench.networks.base` does, and the losses, as pure functions."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from normbench.networks import Loss, Network
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, Residual, check_weights, entry, with_weights
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

UNFOLDED = 288  # fan-in up to which patches, that many times the samples, are affordable


def apply(network: Network, weights: Sequence[Array], x: Array) -> Array:
    """Outputs of the network for samples ``x``, batch first.

    Parameters
    ----------
    network : Network
        Static under jit.
    weights : sequence of Array
        In the order of ``network.weight_shapes``, and of the dtype of ``x`` unless that holds tokens.
    x : Array, shape (samples, *network.input_shape)

    Raises
    ------
    InvalidArgumentError
        If the weights are not those of the network.
    """
    check_weights(network, (weight.shape for weight in weights))
    return _sequential(network.layers, weights, x)


def loss_value(loss: Loss, outputs: Array, targets: Array, divisor: float | Array) -> Array:
    """The loss as :class:`normbench.networks.Loss` defines it, a scalar."""
    if loss is Loss.SQUARE:
        return jnp.sum(jnp.square(outputs - targets)) / (2 * divisor * len(outputs))
    logs = jax.nn.log_softmax(outputs)
    if jnp.issubdtype(targets.dtype, jnp.floating):
        return -jnp.mean(jnp.sum(targets * logs, axis=-1))
    return -jnp.mean(jnp.take_along_axis(logs, targets[..., None], axis=-1))


def _sequential(layers: tuple[Layer, ...], weights: Sequence[Array], x: Array) -> Array:
    for layer, own in with_weights(layers, weights):
        x = entry(_FUNCTIONS, layer, "JAX")(layer, own, x)
    return x


def _convolution(layer: Convolution, kernel: Array, x: Array) -> Array:
    if jax.default_backend() == "cpu" and math.prod(kernel.shape[1:]) <= UNFOLDED:
        return _unfolded_convolution(layer, kernel, x)
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(layer.stride, layer.stride),
        padding=[(layer.padding, layer.padding)] * 2,
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )


def _unfolded_convolution(layer: Convolution, kernel: Array, x: Array) -> Array:
    """One product of the unfolded kernel with all patches: on a processor twice as fast as XLA's convolution."""
    outputs, _, size, _ = kernel.shape
    step, margin = layer.stride, layer.padding
    height, width = ((side + 2 * margin - size) // step + 1 for side in x.shape[2:])
    padded = jnp.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin))).transpose(1, 0, 2, 3)
    patches = [
        padded[:, :, i : i + step * (height - 1) + 1 : step, j : j + step * (width - 1) + 1 : step]
        for i in range(size)
        for j in range(size)
    ]
    columns = jnp.stack(patches, axis=1).reshape(-1, len(x) * height * width)
    maps = kernel.reshape(outputs, -1) @ columns
    return maps.reshape(outputs, len(x), height, width).transpose(1, 0, 2, 3)


def _attention(weights: Sequence[Array], x: Array, heads: int) -> Array:
    batch, time, width = x.shape
    query, key, value = ((x @ weight.T).reshape(batch, time, heads, -1) for weight in weights[:3])
    scores = jnp.einsum("bthf,bshf->bhts", query, key) / math.sqrt(width / heads)
    past = jnp.tril(jnp.ones((time, time), dtype=bool))
    mixed = jnp.einsum("bhts,bshf->bthf", jax.nn.softmax(jnp.where(past, scores, -jnp.inf)), value)
    return mixed.reshape(batch, time, width) @ weights[3].T


def _tiles(x: Array, size: int) -> Array:
    """Pixels of every tile on the last axis, row by row."""
    batch, channels, height, width = x.shape
    split = x.reshape(batch, channels, height // size, size, width // size, size)
    return split.transpose(0, 1, 2, 4, 3, 5).reshape(batch, channels, height // size, width // size, size**2)


def _windows(layer: MaxPool, x: Array) -> Array:
    """Pixels of every window on the last axis, row by row; what is outside the image is smaller than any."""
    margin, step = layer.padding, layer.step
    height, width = layer.output_shape(x.shape[1:])[1:]
    padded = jnp.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)), constant_values=-jnp.inf)
    return jnp.stack(
        [
            padded[:, :, i : i + step * (height - 1) + 1 : step, j : j + step * (width - 1) + 1 : step]
            for i in range(layer.size)
            for j in range(layer.size)
        ],
        axis=-1,
    )


def _largest(tiles: Array) -> Array:
    """By index, because the derivative of a maximum is shared among equals: the first one takes it all, as in torch."""
    return jnp.take_along_axis(tiles, jnp.argmax(tiles, axis=-1, keepdims=True), axis=-1)[..., 0]


def _standardised(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x - jnp.mean(x, axis=axes, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=axes, keepdims=True) + epsilon)


def _residual(layer: Residual, weights: Sequence[Array], x: Array) -> Array:
    through, beside = layer.split(weights)
    return _sequential(layer.body, through, x) + _sequential(layer.shortcut, beside, x)


def _maxmin(x: Array) -> Array:
    """By comparison: the derivative of a maximum is shared among equals, and here each keeps its own."""
    even = x.shape[1] // 2 * 2
    first, second = x[:, 0:even:2], x[:, 1:even:2]
    ascends = second > first
    pairs = jnp.stack([jnp.where(ascends, second, first), jnp.where(ascends, first, second)], axis=2)
    return jnp.concatenate([pairs.reshape(len(x), even, *x.shape[2:]), x[:, even:]], axis=1)


_FUNCTIONS: dict[type[Layer], Callable[[Any, Sequence[Array], Array], Array]] = {
    Dense: lambda layer, weights, x: x @ weights[0].T,
    Convolution: lambda layer, weights, x: _convolution(layer, weights[0], x),
    Embedding: lambda layer, weights, x: weights[0][x],
    Residual: _residual,
    Attention: lambda layer, weights, x: _attention(weights, x, layer.heads),
    Positions: lambda layer, _, x: x + jnp.asarray(sinusoids(*x.shape[1:]), x.dtype),
    Relu: lambda layer, _, x: jax.nn.relu(x),
    LeakyRelu: lambda layer, _, x: jnp.where(x > 0, x, layer.slope * x),
    Tanh: lambda layer, _, x: jnp.tanh(x),
    MaxMin: lambda layer, _, x: _maxmin(x),
    AveragePool: lambda layer, _, x: jnp.mean(_tiles(x, layer.size), axis=-1),
    MaxPool: lambda layer, _, x: _largest(_tiles(x, layer.size) if layer.is_tiling else _windows(layer, x)),
    Upsample: lambda layer, _, x: jnp.repeat(jnp.repeat(x, layer.factor, axis=2), layer.factor, axis=3),
    Flatten: lambda layer, _, x: x.reshape(len(x), -1),
    Reshape: lambda layer, _, x: x.reshape(len(x), *layer.shape),
    BatchNorm: lambda layer, _, x: _standardised(x, (0, 2, 3), layer.epsilon),
    LayerNorm: lambda layer, _, x: _standardised(x, (-1,), layer.epsilon),
    Scale: lambda layer, _, x: layer.factor * x,
}
"""What every kind of layer does, from the layer, its weights and samples."""
