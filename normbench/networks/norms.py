"""How much layers and networks can stretch distances: operator norms, Lipschitz bounds, gains of what is no weight."""

import math
from collections.abc import Sequence

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.networks.base import (
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    Layer,
    LeakyRelu,
    MaxPool,
    Network,
    Relu,
    Reshape,
    Residual,
    Scale,
    Shape,
    Tanh,
    Upsample,
    branches,
    check_weights,
    output_shape,
    with_weights,
)


def operator_norm(layer: Layer, weight: np.ndarray, input_shape: Shape) -> float:
    """Spectral norm of a dense layer, exactly, or an upper bound on that of a convolution of images of this shape.

    A convolution with zero padding is a block of the matrix of one on a torus that has room for the image and for
    the padding of one side. So its norm is at most that of the latter, the largest ||K(w)||_op over the frequencies w:
    K(w), shape (channels_out, channels_in), is the Fourier transform of the kernel. Under a stride s, the s^2
    frequencies that fall onto one another stand side by side in one matrix, divided by s.

    The bound never exceeds the sum of ||W[:, :, x, y]||_op over the positions, nor :func:`fixed_gain` of the layer
    times the norm of the kernel as a matrix (channels_out, channels_in size^2).

    Parameters
    ----------
    layer : Dense or Convolution
    weight : array, shape (fan_out, fan_in) or (channels_out, channels_in, size, size)
    input_shape : tuple of int
        Of a sample in front of the layer.

    Raises
    ------
    InvalidArgumentError
        If the layer is of another kind.
    """
    match layer:
        case Dense():
            return float(np.linalg.norm(weight, 2))
        case Convolution():
            return _torus_norm(weight, input_shape[1:], layer.stride, layer.padding)
    raise InvalidArgumentError(f"layer {layer} has no one weight; operator_norm takes Dense and Convolution.")


def lipschitz(network: Network, weights: Sequence[np.ndarray]) -> float:
    """Upper bound on ||f(x) - f(x')|| / ||x - x'||: product over the layers, sum over the branches of a residual one.

    NaN where a weight is not finite, or a layer has no bound: batch and layer norm, attention, embeddings, positions.

    Raises
    ------
    InvalidArgumentError
        If the weights are not those of the network.
    """
    check_weights(network, (weight.shape for weight in weights))
    if not all(np.isfinite(weight).all() for weight in weights):
        return math.nan
    return _product(network.layers, weights, network.input_shape)


def fixed_gain(network: Network) -> float:
    """Product of the operator norms of everything that is not a weight: c in ||f(x)|| <= c prod ||W_k||_op ||x||.

    With every kernel as the matrix (channels_out, channels_in size^2) that multiplies patches, a convolution has the
    gain sqrt(overlap) of taking patches, where overlap = ceil(size / stride)^2 is how many of them a pixel is in.

    Raises
    ------
    InvalidArgumentError
        If a layer is not Dense, Convolution, Relu, AveragePool, MaxPool, Flatten or Scale.
    """
    return math.prod(_fixed_gain(layer) for layer in network.layers)


def _torus_norm(kernel: np.ndarray, sides: Shape, stride: int, padding: int) -> float:
    channels_out, channels_in, size, _ = kernel.shape
    # Output i and pixel q meet at position q - i + padding of the kernel, which is above size - side - padding - 1 and
    # below side + padding: on a torus of side + padding, none meet around it that do not meet in the plane.
    # Padding beyond size - 1 only adds outputs that are zero. Where the torus is shorter than the kernel, fft2 cuts off
    # what no pixel meets.
    room = [side + min(padding, size - 1) for side in sides]
    tiles = [-(-length // stride) for length in room]
    spectrum = np.fft.fft2(kernel, s=[stride * tile for tile in tiles], axes=(2, 3))
    aliases = spectrum.reshape(channels_out, channels_in, stride, tiles[0], stride, tiles[1])
    half = aliases[..., : tiles[1] // 2 + 1]  # a real kernel has the same norms at w and -w
    matrices = half.transpose(3, 5, 0, 1, 2, 4).reshape(-1, channels_out, channels_in * stride**2)
    return float(np.linalg.norm(matrices, 2, axis=(1, 2)).max()) / stride


def _product(layers: tuple[Layer, ...], weights: Sequence[np.ndarray], shape: Shape) -> float:
    product = 1.0
    for layer, own in with_weights(layers, weights):
        product *= _bound(layer, own, shape)
        shape = output_shape(layer, shape)
    return product


def _bound(layer: Layer, weights: tuple[np.ndarray, ...], shape: Shape) -> float:
    match layer:
        case Dense() | Convolution():
            return operator_norm(layer, weights[0], shape)
        case Relu() | Tanh() | Flatten() | Reshape() | MaxPool():
            return 1.0
        case LeakyRelu(slope):
            return max(1.0, abs(slope))
        case AveragePool(size):
            return 1.0 / size
        case Upsample(factor):
            return float(factor)
        case Scale(factor):
            return abs(factor)
        case Residual(body, shortcut):
            through, beside = branches(layer, weights)
            return _product(body, through, shape) + _product(shortcut, beside, shape)
    return math.nan


def _fixed_gain(layer: Layer) -> float:
    match layer:
        case Dense():
            return 1.0
        case Convolution():
            return float(math.ceil(layer.size / layer.stride))
        case Relu() | MaxPool() | Flatten() | AveragePool() | Scale():
            return _bound(layer, (), ())
    raise InvalidArgumentError(
        f"layer {layer} has no fixed gain, so method 2 has no majorant for the network. Use layers of the kinds Dense, "
        "Convolution, Relu, AveragePool, MaxPool, Flatten and Scale, or another optimiser."
    )
