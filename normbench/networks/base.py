"""The building blocks of a network, declared once: every backend gives them their meaning, none of them has a bias.

Samples have the batch first: vectors (batch, features), images (batch, channels, height, width), tokens (batch, time).
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from normbench.errors import InvalidArgumentError

Shape: TypeAlias = tuple[int, ...]
WeightT = TypeVar("WeightT")


@dataclass(frozen=True)
class Dense:
    """W x along the last axis; W has shape (fan_out, fan_in)."""

    fan_in: int
    fan_out: int


@dataclass(frozen=True)
class Convolution:
    """Cross-correlation with zero padding; the kernel has shape (channels_out, channels_in, size, size)."""

    channels_in: int
    channels_out: int
    size: int = 3
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class Embedding:
    """Rows of a matrix (vocabulary, width) by token: (batch, time) to (batch, time, width)."""

    vocabulary: int
    width: int


@dataclass(frozen=True)
class Positions:
    """Adds the fixed sinusoids over time of :func:`normbench.networks.positions.sinusoids` to (batch, time, width)."""


@dataclass(frozen=True)
class Attention:
    """Causal multi-head self-attention; weights query, key, value and output, each (width, width).

    Every head mixes its width / heads features of value by softmax(query key^T / sqrt(width / heads)) over the past.
    """

    width: int
    heads: int


@dataclass(frozen=True)
class Relu:
    """max(x, 0), with derivative 0 at 0."""


@dataclass(frozen=True)
class LeakyRelu:
    """x where x > 0, else slope x."""

    slope: float = 0.2


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent."""


@dataclass(frozen=True)
class AveragePool:
    """Mean over tiles of size x size."""

    size: int


@dataclass(frozen=True)
class MaxPool:
    """Largest entry of tiles of size x size."""

    size: int


@dataclass(frozen=True)
class Upsample:
    """Every pixel repeated factor x factor times."""

    factor: int


@dataclass(frozen=True)
class Flatten:
    """Everything behind the batch in one axis."""


@dataclass(frozen=True)
class Reshape:
    """Everything behind the batch in this shape."""

    shape: Shape


@dataclass(frozen=True)
class BatchNorm:
    """Zero mean and unit variance per channel of an image over the batch at hand, no affine parameters.

    (x - mean) / sqrt(variance + epsilon), the variance without Bessel's correction; in training and test alike.
    """

    epsilon: float = 1e-5


@dataclass(frozen=True)
class LayerNorm:
    """Zero mean and unit variance along the last axis, as :class:`BatchNorm` does over a batch."""

    epsilon: float = 1e-5


@dataclass(frozen=True)
class Scale:
    """Multiplication by a constant."""

    factor: float


@dataclass(frozen=True)
class Residual:
    """body(x) + shortcut(x); an empty shortcut is the identity. The body's weights come first."""

    body: "tuple[Layer, ...]"
    shortcut: "tuple[Layer, ...]" = ()


Layer: TypeAlias = (
    Dense
    | Convolution
    | Embedding
    | Positions
    | Attention
    | Relu
    | LeakyRelu
    | Tanh
    | AveragePool
    | MaxPool
    | Upsample
    | Flatten
    | Reshape
    | BatchNorm
    | LayerNorm
    | Scale
    | Residual
)


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they are applied.

    Attributes
    ----------
    input_shape : tuple of int
        Of one sample, without the batch.
    layers : tuple of Layer
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """Shapes of all weights, in the order in which every backend keeps them."""
        return tuple(_weight_shapes(self.layers))

    @property
    def output_shape(self) -> Shape:
        """Of one sample, without the batch.

        Raises
        ------
        InvalidArgumentError
            If a layer does not fit what the one before it gives.
        """
        shape = self.input_shape
        for layer in self.layers:
            shape = output_shape(layer, shape)
        return shape

    @property
    def mixes_samples(self) -> bool:
        """True if what a sample gives depends on the others of its batch."""
        return _has_batch_norm(self.layers)

    @property
    def is_perceptron(self) -> bool:
        """True for dense layers with ReLUs between them and nothing else: what the fast trainers take."""
        dense, between = self.layers[::2], self.layers[1::2]
        return (
            len(self.layers) % 2 == 1
            and all(isinstance(layer, Dense) for layer in dense)
            and all(isinstance(layer, Relu) for layer in between)
        )


def _has_batch_norm(layers: tuple[Layer, ...]) -> bool:
    return any(
        isinstance(layer, BatchNorm)
        or (isinstance(layer, Residual) and (_has_batch_norm(layer.body) or _has_batch_norm(layer.shortcut)))
        for layer in layers
    )


def _weight_shapes(layers: tuple[Layer, ...]) -> Iterator[Shape]:
    for layer in layers:
        match layer:
            case Dense(fan_in, fan_out):
                yield (fan_out, fan_in)
            case Convolution(channels_in, channels_out, size):
                yield (channels_out, channels_in, size, size)
            case Embedding(vocabulary, width):
                yield (vocabulary, width)
            case Attention(width):
                yield from [(width, width)] * 4
            case Residual(body, shortcut):
                yield from _weight_shapes(body)
                yield from _weight_shapes(shortcut)


def with_weights(layers: tuple[Layer, ...], weights: Sequence[WeightT]) -> Iterator[tuple[Layer, tuple[WeightT, ...]]]:
    """Every layer with the weights that are its own: none, one, four of an attention, those of both branches."""
    remaining = iter(weights)
    for layer in layers:
        yield layer, tuple(itertools.islice(remaining, len(list(_weight_shapes((layer,))))))


def branches(layer: Residual, weights: tuple[WeightT, ...]) -> tuple[tuple[WeightT, ...], tuple[WeightT, ...]]:
    """The weights of the body, and those of the shortcut."""
    cut = len(list(_weight_shapes(layer.body)))
    return weights[:cut], weights[cut:]


def check_weights(network: Network, shapes: Iterable[Shape]) -> None:
    """Raise unless weights of these shapes are those of the network.

    Raises
    ------
    InvalidArgumentError
    """
    given, wanted = [tuple(shape) for shape in shapes], list(network.weight_shapes)
    if given != wanted:
        raise InvalidArgumentError(f"weights must have the shapes {wanted}, network.weight_shapes; got {given}.")


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """Shape of a sample behind ``layer``, from its shape before.

    Raises
    ------
    InvalidArgumentError
        If they do not fit together.
    """
    match layer:
        case Dense(fan_in, fan_out) if shape[-1] == fan_in:
            return (*shape[:-1], fan_out)
        case Convolution(channels_in, channels_out, size, stride, padding) if len(shape) == 3 and (
            shape[0] == channels_in and min(shape[1:]) + 2 * padding >= size
        ):
            height, width = ((side + 2 * padding - size) // stride + 1 for side in shape[1:])
            return (channels_out, height, width)
        case Embedding(_, width) if len(shape) == 1:
            return (*shape, width)
        case Attention(width, heads) if len(shape) == 2 and shape[1] == width and width % heads == 0:
            return shape
        case AveragePool(size) | MaxPool(size) if len(shape) == 3 and not (shape[1] % size or shape[2] % size):
            return (shape[0], shape[1] // size, shape[2] // size)
        case Upsample(factor) if len(shape) == 3:
            return (shape[0], shape[1] * factor, shape[2] * factor)
        case Flatten():
            return (math.prod(shape),)
        case Reshape(wanted) if math.prod(wanted) == math.prod(shape):
            return wanted
        case Residual(body, shortcut):
            through, beside = Network(shape, body).output_shape, Network(shape, shortcut).output_shape
            if through == beside:
                return through
        case Positions() if len(shape) == 2:
            return shape
        case BatchNorm() if len(shape) == 3:
            return shape
        case Relu() | LeakyRelu() | Tanh() | LayerNorm() | Scale():
            return shape
    raise InvalidArgumentError(f"layer {layer} does not take samples of shape {shape}. Change it or the one before it.")
