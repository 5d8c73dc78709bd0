"""The layers beside the activations, declared once: every backend gives them their meaning, none of them has a bias."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from normbench.networks.base import Fixed, Layer, Shape


@dataclass(frozen=True)
class Dense(Layer):
    """W x along the last axis; W has shape (fan_out, fan_in)."""

    fan_in: int
    fan_out: int

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """W."""
        return ((self.fan_out, self.fan_in),)

    def output_shape(self, shape: Shape) -> Shape:
        """The last axis becomes fan_out."""
        self.check(shape[-1] == self.fan_in, shape)
        return (*shape[:-1], self.fan_out)

    def bound(self, weights: Sequence[np.ndarray], shape: Shape) -> float:
        """The spectral norm of W, exactly."""
        return float(np.linalg.norm(weights[0], 2))

    @property
    def gain(self) -> float:
        """Nothing but the weight."""
        return 1.0

    def multiply_adds(self, shape: Shape) -> int:
        """At every position fan_in fan_out."""
        return math.prod(shape[:-1]) * self.fan_in * self.fan_out


@dataclass(frozen=True)
class Convolution(Layer):
    """Cross-correlation with zero padding; the kernel has shape (channels_out, channels_in, size, size)."""

    channels_in: int
    channels_out: int
    size: int = 3
    stride: int = 1
    padding: int = 1

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """The kernel."""
        return ((self.channels_out, self.channels_in, self.size, self.size),)

    def output_shape(self, shape: Shape) -> Shape:
        """(channels_out, height, width), the sides divided by the stride."""
        fits = len(shape) == 3 and shape[0] == self.channels_in
        self.check(fits and min(shape[1:]) + 2 * self.padding >= self.size, shape)
        height, width = ((side + 2 * self.padding - self.size) // self.stride + 1 for side in shape[1:])
        return (self.channels_out, height, width)

    def bound(self, weights: Sequence[np.ndarray], shape: Shape) -> float:
        """Upper bound on the spectral norm of the convolution of images of this shape.

        A convolution with zero padding is a block of the matrix of one on a torus that has room for the image and for
        the padding of one side. So its norm is at most that of the latter, the largest ||K(w)||_op over the
        frequencies w: K(w), shape (channels_out, channels_in), is the Fourier transform of the kernel. Under a stride
        s, the s^2 frequencies that fall onto one another stand side by side in one matrix, divided by s.

        It never exceeds the sum of ||W[:, :, x, y]||_op over the positions, nor :attr:`gain` times the norm of the
        kernel as a matrix (channels_out, channels_in size^2).
        """
        kernel, stride = weights[0], self.stride
        # Output i and pixel q meet at position q - i + padding of the kernel, which is above size - side - padding - 1
        # and below side + padding: on a torus of side + padding, none meet around it that do not meet in the plane.
        # Padding beyond size - 1 only adds outputs that are zero. Where the torus is shorter than the kernel, fft2 cuts
        # off what no pixel meets.
        room = [side + min(self.padding, self.size - 1) for side in shape[1:]]
        tiles = [-(-length // stride) for length in room]
        spectrum = np.fft.fft2(kernel, s=[stride * tile for tile in tiles], axes=(2, 3))
        aliases = spectrum.reshape(self.channels_out, self.channels_in, stride, tiles[0], stride, tiles[1])
        half = aliases[..., : tiles[1] // 2 + 1]  # a real kernel has the same norms at w and -w
        matrices = half.transpose(3, 5, 0, 1, 2, 4).reshape(-1, self.channels_out, self.channels_in * stride**2)
        return float(np.linalg.norm(matrices, 2, axis=(1, 2)).max()) / stride

    @property
    def gain(self) -> float:
        """That of taking patches, for the kernel as the matrix (channels_out, channels_in size^2) that multiplies them.

        It is sqrt(overlap), where overlap = ceil(size / stride)^2 is how many patches a pixel is in.
        """
        return float(math.ceil(self.size / self.stride))

    def multiply_adds(self, shape: Shape) -> int:
        """At every pixel of the output channels_in channels_out size^2."""
        pixels = math.prod(self.output_shape(shape)[1:])
        return pixels * self.channels_in * self.channels_out * self.size**2


@dataclass(frozen=True)
class Embedding(Layer):
    """Rows of a matrix (vocabulary, width) by token: (batch, time) to (batch, time, width)."""

    vocabulary: int
    width: int

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """The matrix."""
        return ((self.vocabulary, self.width),)

    def output_shape(self, shape: Shape) -> Shape:
        """(time, width)."""
        self.check(len(shape) == 1, shape)
        return (*shape, self.width)


@dataclass(frozen=True)
class Positions(Layer):
    """Adds the fixed sinusoids over time of :func:`normbench.networks.positions.sinusoids` to (batch, time, width)."""

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input."""
        self.check(len(shape) == 2, shape)
        return shape


@dataclass(frozen=True)
class Attention(Layer):
    """Causal multi-head self-attention; weights query, key, value and output, each (width, width).

    Every head mixes its width / heads features of value by softmax(query key^T / sqrt(width / heads)) over the past.
    """

    width: int
    heads: int

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """Query, key, value, output."""
        return ((self.width, self.width),) * 4

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input."""
        self.check(len(shape) == 2 and shape[1] == self.width and self.width % self.heads == 0, shape)
        return shape

    def multiply_adds(self, shape: Shape) -> int:
        """Over T positions 4 T width^2 for the weights, and 2 T^2 width for the scores and the mixing."""
        positions = shape[0]
        return 4 * positions * self.width**2 + 2 * positions**2 * self.width


@dataclass(frozen=True)
class _Pool(Fixed):
    """One number for every tile of size x size."""

    size: int

    def output_shape(self, shape: Shape) -> Shape:
        """The sides divided by the size, which must divide them."""
        self.check(len(shape) == 3 and not (shape[1] % self.size or shape[2] % self.size), shape)
        return (shape[0], shape[1] // self.size, shape[2] // self.size)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Largest entry of tiles of size x size; with a stride, of windows that may overlap and begin outside the image.

    Padding is no pixel: what is outside is never the largest. Of equal ones the first counts, row by row.
    """

    stride: int | None = None
    padding: int = 0

    @property
    def step(self) -> int:
        """From one window to the next: the stride, or the size."""
        return self.size if self.stride is None else self.stride

    @property
    def is_tiling(self) -> bool:
        """True if every pixel is in exactly one window."""
        return self.step == self.size and self.padding == 0

    def output_shape(self, shape: Shape) -> Shape:
        """The sides divided by the size, which must divide them; with a stride, as behind a convolution."""
        if self.is_tiling:
            return super().output_shape(shape)
        fits = len(shape) == 3 and 0 <= self.padding <= self.size // 2 and self.step > 0
        self.check(fits and min(shape[1:]) + 2 * self.padding >= self.size, shape)
        height, width = ((side + 2 * self.padding - self.size) // self.step + 1 for side in shape[1:])
        return (shape[0], height, width)

    @property
    def gain(self) -> float:
        """sqrt(overlap), where overlap = ceil(size / step)^2 is how many windows a pixel is in."""
        return float(math.ceil(self.size / self.step))


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean over tiles of size x size."""

    @property
    def gain(self) -> float:
        """The norm of a row of size^2 entries 1 / size^2."""
        return 1.0 / self.size


@dataclass(frozen=True)
class Upsample(Fixed):
    """Every pixel repeated factor x factor times."""

    factor: int

    def output_shape(self, shape: Shape) -> Shape:
        """The sides times the factor."""
        self.check(len(shape) == 3, shape)
        return (shape[0], shape[1] * self.factor, shape[2] * self.factor)

    @property
    def gain(self) -> float:
        """sqrt(factor^2): so many copies."""
        return float(self.factor)


@dataclass(frozen=True)
class Flatten(Fixed):
    """Everything behind the batch in one axis."""

    def output_shape(self, shape: Shape) -> Shape:
        """(size,)."""
        return (math.prod(shape),)


@dataclass(frozen=True)
class Reshape(Fixed):
    """Everything behind the batch in this shape."""

    shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        """The one that is wanted, of as many entries."""
        self.check(math.prod(self.shape) == math.prod(shape), shape)
        return self.shape


@dataclass(frozen=True)
class Scale(Fixed):
    """Multiplication by a constant."""

    factor: float

    @property
    def gain(self) -> float:
        """Absolute value of the factor."""
        return abs(self.factor)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Zero mean and unit variance per channel of an image over the batch at hand, no affine parameters.

    (x - mean) / sqrt(variance + epsilon), the variance without Bessel's correction; in training and test alike.
    """

    epsilon: float = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input."""
        self.check(len(shape) == 3, shape)
        return shape

    @property
    def mixes_samples(self) -> bool:
        """By their mean and variance."""
        return True


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Zero mean and unit variance along the last axis, as :class:`BatchNorm` does over a batch."""

    epsilon: float = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input."""
        return shape
