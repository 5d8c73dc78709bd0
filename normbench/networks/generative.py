"""Generative networks of the kinds in arXiv 2002.03432 (section 6): a language model, and a small conditional GAN."""

import math

from normbench.errors import InvalidArgumentError
from normbench.networks.activations import LeakyRelu, Relu, Tanh
from normbench.networks.base import Layer, Network, Residual
from normbench.networks.families import check_sizes
from normbench.networks.layers import (
    Attention,
    BatchNorm,
    Convolution,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    Positions,
    Reshape,
    Scale,
    Upsample,
)


def transformer(
    vocabulary: int, *, width: int = 200, heads: int = 2, depth: int = 2, hidden: int = 200, length: int = 35
) -> Network:
    """Causal language model: tokens (batch, length) to scores of every next token (batch, length, vocabulary).

    Pre-norm blocks of attention and a perceptron with ``hidden`` ReLUs; the embedding is scaled by sqrt(width).

    Raises
    ------
    InvalidArgumentError
        If a size is not positive, or the heads do not divide the width.
    """
    check_sizes(vocabulary=vocabulary, width=width, heads=heads, depth=depth, hidden=hidden, length=length)
    if width % heads:
        raise InvalidArgumentError(f"heads must divide the width {width}; got {heads}.")
    attention = Residual((LayerNorm(), Attention(width, heads)))
    perceptron = Residual((LayerNorm(), Dense(width, hidden), Relu(), Dense(hidden, width)))
    layers: tuple[Layer, ...] = (
        Embedding(vocabulary, width),
        Scale(math.sqrt(width)),
        Positions(),
        *((attention, perceptron) * depth),
        LayerNorm(),
        Dense(width, vocabulary),
    )
    return Network((length,), layers)


def generator(noise: int, classes: int, *, width: int, side: int, channels: int) -> Network:
    """Noise and a one-hot class, as one vector, to an image with entries in (-1, 1).

    A dense layer makes 2 width maps of a quarter of the side, which is doubled twice, each time by repeating pixels
    and a 3 x 3 convolution.

    Raises
    ------
    InvalidArgumentError
        If a size is not positive, or the side is not divisible by 4.
    """
    _check_images(noise=noise, classes=classes, width=width, side=side, channels=channels)
    start = (2 * width, side // 4, side // 4)
    layers = (
        Dense(noise + classes, math.prod(start)),
        Reshape(start),
        BatchNorm(),
        Relu(),
        Upsample(2),
        Convolution(2 * width, width),
        BatchNorm(),
        Relu(),
        Upsample(2),
        Convolution(width, channels),
        Tanh(),
    )
    return Network((noise + classes,), layers)


def discriminator(classes: int, *, width: int, side: int, channels: int) -> Network:
    """An image with ``classes`` more channels, all zeros but the ones of its class, to one logit.

    Two convolutions of 4 x 4 halve the map to ``width`` and 2 ``width`` channels, each with a leaky ReLU of slope 0.2;
    no batch norm, so that every sample is judged alone and the network has a Lipschitz bound.

    Raises
    ------
    InvalidArgumentError
        If a size is not positive, or the side is not divisible by 4.
    """
    _check_images(classes=classes, width=width, side=side, channels=channels)
    layers = (
        Convolution(channels + classes, width, size=4, stride=2),
        LeakyRelu(0.2),
        Convolution(width, 2 * width, size=4, stride=2),
        LeakyRelu(0.2),
        Flatten(),
        Dense(2 * width * (side // 4) ** 2, 1),
    )
    return Network((channels + classes, side, side), layers)


def _check_images(**sizes: int) -> None:
    check_sizes(**sizes)
    if sizes["side"] % 4:
        raise InvalidArgumentError(f"side must be divisible by 4; got {sizes['side']}.")
