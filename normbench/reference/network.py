"""Networks in NumPy: outputs, losses, gradient and derivatives along a curve, layer by layer.

The derivatives are those of arXiv 2312.10672, eq. 7-8, for any layers and losses that the reference knows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from normbench.networks import Loss, Network
from normbench.networks.base import check_weights, with_weights
from normbench.problems.problem import Problem, Weights
from normbench.reference.layers import Series, evaluation
from normbench.reference.spheres import curve_coefficient


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
        self.derivative_evaluations = 0

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
    def cost(self) -> float:
        """Passes over the data in units of a loss with its gradient: a loss alone is a half, derivatives are one."""
        return (self.loss_evaluations + self.gradient_evaluations) / 2 + self.derivative_evaluations

    @property
    def majorant_scale(self) -> float:
        """Q = c gain^2 mean ||x||^2 (eq. 22), c = 1 / loss_divisor or 1 (arXiv 2304.05187, corollaries 1 and 2)."""
        curvature = 1.0 / self.loss_divisor if self._kind is Loss.SQUARE else 1.0
        squares = np.square(self.x).reshape(len(self.x), -1).sum(axis=1)
        if self._kind is Loss.CROSS_ENTROPY:  # a sample counts by the weight of its target
            squares = squares * self.y.sum(axis=-1)
        mean = math.fsum(squares) / len(self.x)
        return curvature * self.network.gain**2 * mean

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
            does = evaluation(layer)
            if does.weight_gradient:
                gradient.insert(0, does.weight_gradient(layer, x, signal))
            signal = does.pull_back(layer, own, x, signal)
        return tuple(gradient)

    def curve_derivatives(self, weights: Weights, velocity: Weights, order: int) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, by propagating Taylor coefficients (eq. 7).

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer of zero velocity rests: Gamma_i(t) = W_i.
        """
        return self.series_derivatives(
            [[curve_coefficient(W, v, k) for k in range(order + 1)] for W, v in zip(weights, velocity, strict=True)]
        )

    def series_derivatives(self, curve: Sequence[Series]) -> list[float]:
        """Derivatives at t = 0 of the loss along any curve, from the Taylor coefficients of every weight.

        Parameters
        ----------
        curve : sequence of lists of arrays
            For every weight its coefficients of order 0, 1, ..., as many as there are to be derivatives, and one.
        """
        check_weights(self.network, (coefficients[0].shape for coefficients in curve))
        self.derivative_evaluations += 1
        order = len(curve[0]) - 1
        series = [self.x] + [np.zeros_like(self.x)] * order
        for layer, own in with_weights(self.network.layers, curve):
            series = evaluation(layer).series(layer, own[0] if own else [], series)
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
        inputs.append(evaluation(layer).outputs(layer, own, inputs[-1]))
    return inputs


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
