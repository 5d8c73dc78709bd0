"""Networks by their widths, as tasks and the command line name them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from normbench.errors import InvalidArgumentError
from normbench.networks.activations import Activation, Relu
from normbench.networks.base import Layer, Network, Shape
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten
from normbench.numbers import as_integer

RELU = Relu()


def check_layers(layers: Iterable[Any]) -> Shape:
    """The widths as Python's integers.

    Raises
    ------
    InvalidArgumentError
        Unless they are at least two, all positive integers.
    """
    widths = tuple(as_integer(width) or 0 for width in layers)
    if len(widths) < 2 or min(widths) < 1:
        raise InvalidArgumentError(
            f"layers must be at least two positive widths, input first; got {layers}. Example: 12,25,30,15,3."
        )
    return widths


def perceptron_layers(*, width: int, depth: int, inputs: int, outputs: int) -> Shape:
    """Widths of a perceptron with ``depth`` weight matrices: depth 4 and width 25 is 12-25-25-25-3."""
    return (inputs, *[width] * (depth - 1), outputs)


def layers_text(layers: Sequence[int]) -> str:
    """The network in words: ``12-25-30-15-3``."""
    return "-".join(map(str, layers))


def check_sizes(**sizes: int) -> None:
    """Raise unless all of them are positive.

    Raises
    ------
    InvalidArgumentError
        Naming the first that is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise InvalidArgumentError(f"{name} must be at least 1; got {size}.")


def perceptron(layers: Shape, activation: Activation = RELU) -> Network:
    """Dense layers of widths d_0, ..., d_L with activations between them.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two widths or one is not positive.
    """
    check_layers(layers)
    blocks: list[Layer] = []
    for fan_in, fan_out in itertools.pairwise(layers):
        blocks += [Dense(fan_in, fan_out), activation]
    return Network((layers[0],), tuple(blocks[:-1]))


def is_perceptron(network: Network) -> bool:
    """True for dense layers with ReLUs between them and nothing else: what the fast trainers take."""
    kinds = [type(layer) for layer in network.layers]
    return kinds == [Dense, Relu] * (len(kinds) // 2) + [Dense]


def as_network(network: Network | Shape) -> Network:
    """The network itself, or the perceptron of these widths."""
    return network if isinstance(network, Network) else perceptron(network)


def convolutional(layers: Shape, *, side: int, activation: Activation = RELU) -> Network:
    """3 x 3 convolutions with activations, the map halved by averages behind each but the last, and one dense layer.

    Parameters
    ----------
    layers : tuple of int
        Channels of the image, of every convolution, and outputs: 1,8,16,10 has two convolutions.
    side : int
        Height and width of the image; divisible by 2 to the power of (number of convolutions - 1).
    activation : Activation

    Raises
    ------
    InvalidArgumentError
        If there is no convolution, or the map cannot be halved that often.
    """
    check_layers(layers)
    *channels, outputs = layers
    halvings = len(channels) - 2
    if halvings < 0 or side % 2**halvings:
        raise InvalidArgumentError(
            f"a convolutional network of widths {layers} does not fit images of {side} x {side}: it needs channels of "
            "the image, of one convolution or more, and outputs, and halves the map between convolutions."
        )
    blocks: list[Layer] = []
    for index, (channels_in, channels_out) in enumerate(itertools.pairwise(channels)):
        blocks += [AveragePool(2)] if index else []
        blocks += [Convolution(channels_in, channels_out), activation]
    blocks += [Flatten(), Dense(channels[-1] * (side // 2**halvings) ** 2, outputs)]
    return Network((channels[0], side, side), tuple(blocks))
