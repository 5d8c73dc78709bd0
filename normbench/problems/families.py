"""The kinds of networks that a task can have, by name: networks of a kind differ in widths and activation only."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from normbench.errors import InvalidArgumentError
from normbench.networks import Network, convolutional, perceptron, preactivation_resnet18, resnet50, transformer, vgg16
from normbench.networks.activations import ACTIVATIONS, Activation
from normbench.networks.base import Shape


@dataclass(frozen=True)
class NetworkFamily:
    """Networks that differ in their widths and activation only."""

    build: Callable[[Shape, Shape, Activation], Network]  # from the widths, input first, and the shape of a sample
    inputs: Callable[[Shape], int]  # from that shape to the first width; 0 where it is the number of outputs
    activations: tuple[str, ...] = ("relu",)  # those that it can have

    def network(self, layers: Shape, shape: Shape, activation: str) -> Network:
        """The network of these widths for samples of this shape.

        Raises
        ------
        InvalidArgumentError
            If the widths do not make a network, or it cannot have the activation.
        """
        if activation not in self.activations:
            raise InvalidArgumentError(
                f"activation must be {' or '.join(self.activations)} in a network of this kind; got {activation!r}."
            )
        return self.build(layers, shape, ACTIVATIONS[activation])


FAMILIES = {
    "perceptron": NetworkFamily(
        lambda layers, shape, activation: perceptron(layers, activation), math.prod, tuple(ACTIVATIONS)
    ),
    "convolutional": NetworkFamily(
        lambda layers, shape, activation: convolutional(layers, side=shape[-1], activation=activation),
        lambda shape: shape[0],
        tuple(ACTIVATIONS),
    ),
    "vgg16": NetworkFamily(lambda layers, shape, _: _of_width(vgg16, "vgg16", layers, shape), lambda shape: shape[0]),
    "resnet18": NetworkFamily(
        lambda layers, shape, _: _of_width(preactivation_resnet18, "resnet18", layers, shape), lambda shape: shape[0]
    ),
    "resnet50": NetworkFamily(
        lambda layers, shape, _: _of_width(resnet50, "resnet50", layers, shape), lambda shape: shape[0]
    ),
    "transformer": NetworkFamily(lambda layers, shape, _: _language_model(layers, shape), lambda shape: 0),
}


def _of_width(build: Callable[..., Network], name: str, layers: Shape, shape: Shape) -> Network:
    channels, width, classes = _three(name, "channels,width,classes", layers)
    return build(classes, width=width, side=shape[-1], channels=channels)


def _language_model(layers: Shape, shape: Shape) -> Network:
    vocabulary, width, _ = _three("transformer", "vocabulary,width,vocabulary", layers)
    return transformer(vocabulary, width=width, hidden=width, length=shape[0])


def _three(name: str, meaning: str, layers: Shape) -> Shape:
    if len(layers) != 3:
        raise InvalidArgumentError(f"layers of a {name} are {meaning}; got {','.join(map(str, layers))}.")
    return layers
