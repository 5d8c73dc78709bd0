"""One small network of every family and every kind of layer, with weights and samples by seed."""

import numpy as np

from normbench.networks import (
    Network,
    convolutional,
    discriminator,
    generator,
    perceptron,
    preactivation_resnet18,
    transformer,
    vgg16,
)
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Residual
from normbench.networks.layers import AveragePool, Convolution, Dense, Embedding, Flatten, Reshape, Scale, Upsample

# stride 2 over an odd map, no padding, non-square images and channels: what convolutional() never does
STRIDED = Network(
    (2, 7, 10),
    (
        Convolution(2, 5, size=3, stride=2, padding=0),
        LeakyRelu(0.2),
        Convolution(5, 4, size=2, stride=1, padding=1),
        Relu(),
        Upsample(2),
        Convolution(4, 3, size=3, stride=2, padding=1),
        Relu(),
        Scale(1.5),
        Flatten(),
        Dense(60, 6),
        Reshape((3, 1, 2)),
        Upsample(2),
        AveragePool(2),
        Flatten(),
        Dense(6, 3),
    ),
)
# every activation, with pairs of channels and of units, odd and even
BENT = Network(
    (2, 4, 6),
    (
        Convolution(2, 5),
        MaxMin(),
        Convolution(5, 4, stride=2),
        MaxMin(),
        Tanh(),
        Flatten(),
        Dense(24, 7),
        MaxMin(),
        Dense(7, 4),
        LeakyRelu(0.3),
        Dense(4, 3),
    ),
)
PLAIN = {
    "perceptron": perceptron((6, 9, 4, 5)),
    "convolutional": convolutional((2, 5, 3, 4), side=4),
    "strided": STRIDED,
    "bent": BENT,
}
OTHERS = {
    "vgg16": vgg16(3, width=2, side=8, channels=2),
    "resnet18": preactivation_resnet18(3, width=2, side=10, channels=2),
    "transformer": transformer(11, width=6, heads=2, depth=2, hidden=7, length=5),
    "generator": generator(4, 3, width=3, side=8, channels=2),
    "discriminator": discriminator(3, width=3, side=8, channels=2),
    "projections": Network(
        (3, 4, 4), (Residual((Convolution(3, 2), Relu()), (Convolution(3, 2, 1, 1, 0),)), Flatten())
    ),
}
ALL = PLAIN | OTHERS


def draw_weights(network: Network, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Gaussian weights that keep the size of signals."""
    return tuple(rng.normal(size=s) / np.sqrt(np.prod(s[1:])) for s in network.weight_shapes)


def draw_inputs(network: Network, rng: np.random.Generator, samples: int = 6) -> np.ndarray:
    """Gaussian samples, or tokens where the network embeds them."""
    first = network.layers[0]
    if isinstance(first, Embedding):
        return rng.integers(first.vocabulary, size=(samples, *network.input_shape))
    return rng.normal(size=(samples, *network.input_shape))


def one_hot(classes: int, rng: np.random.Generator, samples: int = 6) -> np.ndarray:
    return np.eye(classes)[rng.integers(classes, size=samples)]
