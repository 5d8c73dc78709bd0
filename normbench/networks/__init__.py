"""Networks without biases, as declarations: no arrays, no framework."""

from normbench.networks.base import Network
from normbench.networks.families import convolutional, perceptron

__all__ = ["Network", "convolutional", "perceptron"]
