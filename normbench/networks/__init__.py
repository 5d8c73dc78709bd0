"""Networks without biases, as declarations: no framework."""

from normbench.networks.base import Network
from normbench.networks.classifiers import preactivation_resnet18, vgg16
from normbench.networks.families import as_network, convolutional, perceptron
from normbench.networks.generative import discriminator, generator, transformer
from normbench.networks.loss import Loss

__all__ = [
    "Loss",
    "Network",
    "as_network",
    "convolutional",
    "discriminator",
    "generator",
    "perceptron",
    "preactivation_resnet18",
    "transformer",
    "vgg16",
]
