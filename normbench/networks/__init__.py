"""Networks without biases, as declarations: no framework."""

from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Network, Residual
from normbench.networks.classifiers import preactivation_resnet18, vgg16
from normbench.networks.families import as_network, convolutional, perceptron
from normbench.networks.generative import discriminator, generator, transformer
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
from normbench.networks.loss import Loss

__all__ = [
    "Attention",
    "AveragePool",
    "BatchNorm",
    "Convolution",
    "Dense",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "LeakyRelu",
    "Loss",
    "MaxMin",
    "MaxPool",
    "Network",
    "Positions",
    "Relu",
    "Reshape",
    "Residual",
    "Scale",
    "Tanh",
    "Upsample",
    "as_network",
    "convolutional",
    "discriminator",
    "generator",
    "perceptron",
    "preactivation_resnet18",
    "transformer",
    "vgg16",
]
