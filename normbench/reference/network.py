"""Networks in NumPy: outputs, losses, gradient and derivatives along a curve, layer by layer.

The derivatives are those of arXiv 2312.10672, eq. 7-8, for any layers and losses that the reference knows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, Network
from normbench.networks.base import (
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    Layer,
    LeakyRelu,
    Relu,
    Reshape,
    Scale,
    Upsample,
    check_weights,
    with_weights,
)
from normbench.networks.norms import fixed_gain
from normbench.problems.problem import Problem, Weights
from normbench.reference.spheres import curve_coefficient

Series = list[np.ndarray]  # Taylor coefficients in t, of order 0, 1, ...


class Point(NamedTuple):
    """Weights and their loss."""

    weights: Weights
    loss: float


class Objective:
    """Mean loss of a network over a data set, with every evaluation counted.

    Parameters
    ----------
    network : Network
    x : array, shape (samples, *network.input_shape), float64
    y : array, shape (samples, *network.output_shape), float64
        For cross-entropy, distributions over the classes.
    loss : Loss
    loss_divisor : float
        Of the square loss, see :class:`normbench.networks.Loss`.
    """

    def __init__(self, network: Network, x: np.ndarray, y: np.ndarray, loss: Loss, loss_divisor: float) -> None:
        self.network = network
        self.x = x
        self.y = y
        self.loss_divisor = loss_divisor
        self._kind = loss
        self.loss_evaluations = 0
        self.gradient_evaluations = 0

    @classmethod
    def of(cls, problem: Problem, x: np.ndarray | None = None, y: np.ndarray | None = None) -> "Objective":
        """The objective of a problem on some samples and their targets, or on its training set."""
        samples, targets = (problem.x_train if x is None else x), (problem.y_train if y is None else y)
        return cls(problem.network, samples, targets, problem.loss, problem.loss_divisor)

    @property
    def evaluations(self) -> tuple[int, int]:
        """Passes over the data so far: those for the loss, and those for its gradient."""
        return self.loss_evaluations, self.gradient_evaluations

    @property
    def majorant_scale(self) -> float:
        """Q = c gain^2 mean ||x||^2 (eq. 22), c = 1 / loss_divisor or 1 (arXiv 2304.05187, corollaries 1 and 2)."""
        curvature = 1.0 / self.loss_divisor if self._kind is Loss.SQUARE else 1.0
        mean = math.fsum(np.square(self.x).reshape(len(self.x), -1).sum(axis=1)) / len(self.x)
        return curvature * fixed_gain(self.network) ** 2 * mean

    def loss(self, weights: Weights) -> float:
        """Value of the objective at ``weights``."""
        self.loss_evaluations += 1
        return self._loss_series([forward(self.network, weights, self.x)])[0]

    def point(self, weights: Weights) -> Point:
        """The weights with the value there."""
        return Point(weights, self.loss(weights))

    def gradient(self, weights: Weights) -> Weights:
        """Gradient with respect to every weight, by back-propagation; ReLU'(0) = 0."""
        self.gradient_evaluations += 1
        layers = list(with_weights(self.network.layers, weights))
        inputs = _inputs(self.network, weights, self.x)
        signal = self._loss_gradient(inputs.pop())
        gradient: list[np.ndarray] = []
        for (layer, own), x in zip(reversed(layers), reversed(inputs), strict=True):
            if own:
                gradient.insert(0, _weight_gradient(layer, x, signal))
            signal = _pull_back(layer, own, x, signal)
        return tuple(gradient)

    def curve_derivatives(self, weights: Weights, velocity: Weights, order: int) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, by propagating Taylor coefficients (eq. 7).

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer of zero velocity rests: Gamma_i(t) = W_i.
        """
        check_weights(self.network, (weight.shape for weight in weights))
        series = [self.x] + [np.zeros_like(self.x)] * order
        pairs = list(zip(weights, velocity, strict=True))
        for layer, own in with_weights(self.network.layers, pairs):
            curve = [curve_coefficient(*own[0], k) for k in range(order + 1)] if own else []
            series = _propagate(layer, curve, series)
        loss = self._loss_series(series)
        return [math.factorial(k) * loss[k] for k in range(1, order + 1)]

    def _loss_series(self, outputs: Series) -> list[float]:
        """Taylor coefficients of the loss from those of the outputs."""
        if self._kind is Loss.SQUARE:
            error = [outputs[0] - self.y, *outputs[1:]]
            scale = 2 * self.loss_divisor * len(self.x)
            return [
                float(sum((error[j] * error[k - j]).sum() for j in range(k + 1))) / scale for k in range(len(error))
            ]
        # -<y, log softmax(f)> = sum(y) log sum exp(f) - <y, f>
        whole = self.y.sum(axis=-1)
        return [
            float(np.mean(whole * log - (self.y * f).sum(axis=-1)))
            for log, f in zip(_log_sum_exp(outputs), outputs, strict=True)
        ]

    def _loss_gradient(self, outputs: np.ndarray) -> np.ndarray:
        """Gradient of the mean loss with respect to the outputs."""
        if self._kind is Loss.SQUARE:
            return (outputs - self.y) / (self.loss_divisor * len(self.x))
        exponentials = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        softmax = exponentials / exponentials.sum(axis=-1, keepdims=True)
        return (self.y.sum(axis=-1, keepdims=True) * softmax - self.y) / len(self.x)


def forward(network: Network, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Outputs of the network for samples ``x``, batch first.

    Raises
    ------
    InvalidArgumentError
        If the weights are not those of the network, or a layer has no reference implementation.
    """
    return _inputs(network, weights, x)[-1]


def _inputs(network: Network, weights: Sequence[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """Inputs of every layer, and the outputs."""
    check_weights(network, (weight.shape for weight in weights))
    inputs = [x]
    for layer, own in with_weights(network.layers, weights):
        inputs.append(_apply(layer, own, inputs[-1]))
    return inputs


def _apply(layer: Layer, weights: Weights, x: np.ndarray) -> np.ndarray:
    match layer:
        case Dense():
            return x @ weights[0].T
        case Convolution():
            # sum over channels and positions of the kernel, of every patch
            return np.moveaxis(np.tensordot(_patches(layer, x), weights[0], axes=([1, 4, 5], [1, 2, 3])), -1, 1)
        case Relu():
            return np.maximum(x, 0.0)
        case LeakyRelu(slope):
            return np.where(x > 0, x, slope * x)
        case AveragePool(size):
            return _tiles(x, size).mean(axis=(3, 5))
        case Upsample(factor):
            return _repeated(x, factor)
        case Flatten():
            return x.reshape(len(x), -1)
        case Reshape(wanted):
            return x.reshape(len(x), *wanted)
        case Scale(factor):
            return factor * x
    raise InvalidArgumentError(f"layer {layer} has no reference implementation. Use the torch or the JAX backend.")


def _pull_back(layer: Layer, weights: Weights, x: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Derivative of the loss with respect to the layer's inputs ``x``, from the one with respect to its outputs."""
    match layer:
        case Dense():
            return signal @ weights[0]
        case Convolution():
            return _scatter(layer, weights[0], x, signal)
        case Relu() | LeakyRelu():
            return _slopes(layer, x) * signal
        case AveragePool(size):
            return _repeated(signal, size) / size**2
        case Upsample(factor):
            return _tiles(signal, factor).sum(axis=(3, 5))
        case Scale(factor):
            return factor * signal
    return signal.reshape(x.shape)


def _weight_gradient(layer: Layer, x: np.ndarray, signal: np.ndarray) -> np.ndarray:
    if isinstance(layer, Convolution):
        return np.tensordot(signal, _patches(layer, x), axes=([0, 2, 3], [0, 2, 3]))
    return signal.reshape(-1, signal.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def _propagate(layer: Layer, curve: Series, series: Series) -> Series:
    """Taylor coefficients behind a layer: products are bilinear, a ReLU gates, all else is linear."""
    if curve:
        orders = range(len(series))
        return [np.sum([_apply(layer, (curve[j],), series[k - j]) for j in range(k + 1)], axis=0) for k in orders]
    if isinstance(layer, Relu | LeakyRelu):
        slopes = _slopes(layer, series[0])
        return [slopes * coefficient for coefficient in series]
    return [_apply(layer, (), coefficient) for coefficient in series]


def _log_sum_exp(series: Series) -> Series:
    """Taylor coefficients of log sum_i exp f_i over the last axis.

    e = exp f:                 k e_k = sum_{j=1}^k j f_j e_{k-j}
    l = log s, s = sum_i e_i:  k s_0 l_k = k s_k - sum_{j=1}^{k-1} j l_j s_{k-j}
    """
    largest = series[0].max(axis=-1, keepdims=True)
    e = [np.exp(series[0] - largest)]
    for k in range(1, len(series)):
        e.append(sum(j * series[j] * e[k - j] for j in range(1, k + 1)) / k)
    s = [coefficient.sum(axis=-1) for coefficient in e]
    logs = [np.log(s[0]) + largest[..., 0]]
    for k in range(1, len(series)):
        logs.append((s[k] - sum(j * logs[j] * s[k - j] for j in range(1, k)) / k) / s[0])
    return logs


def _slopes(layer: Relu | LeakyRelu, x: np.ndarray) -> np.ndarray:
    """Derivative of the activation at ``x``, in its precision."""
    return np.where(x > 0, 1.0, layer.slope if isinstance(layer, LeakyRelu) else 0.0).astype(x.dtype, copy=False)


def _patches(layer: Convolution, x: np.ndarray) -> np.ndarray:
    """What the kernel is laid upon, shape (samples, channels_in, height, width, size, size), of the output's size."""
    padded = np.pad(x, [(0, 0), (0, 0)] + [(layer.padding, layer.padding)] * 2)
    windows = sliding_window_view(padded, (layer.size, layer.size), axis=(2, 3))
    return windows[:, :, :: layer.stride, :: layer.stride]


def _scatter(layer: Convolution, kernel: np.ndarray, x: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Transposed convolution: every output's signal goes back to the pixels of its patch."""
    padding, stride = layer.padding, layer.stride
    samples, channels, height, width = x.shape
    padded = np.zeros((samples, channels, height + 2 * padding, width + 2 * padding))
    rows, columns = (stride * side for side in signal.shape[2:])
    for a, b in np.ndindex(layer.size, layer.size):
        back = np.tensordot(signal, kernel[:, :, a, b], axes=(1, 0))
        padded[:, :, a : a + rows : stride, b : b + columns : stride] += np.moveaxis(back, -1, 1)
    return padded[:, :, padding : padding + height, padding : padding + width]


def _tiles(x: np.ndarray, size: int) -> np.ndarray:
    """Tiles of size x size on axes 3 and 5."""
    samples, channels, height, width = x.shape
    return x.reshape(samples, channels, height // size, size, width // size, size)


def _repeated(x: np.ndarray, factor: int) -> np.ndarray:
    return x.repeat(factor, axis=2).repeat(factor, axis=3)
