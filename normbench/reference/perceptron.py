"""The bias-free ReLU perceptron, its loss, gradient and derivatives along a curve (arXiv 2312.10672, eq. 1, 7-8)."""

import math

import numpy as np

from normbench.problems.problem import Weights


class Objective:
    """Mean of ||f(x; W) - y||^2 / (2 loss_divisor) over a data set, with every evaluation counted.

    Parameters
    ----------
    x : array, shape (samples, d_0), float64
    y : array, shape (samples, d_L), float64
    loss_divisor : float
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, loss_divisor: float) -> None:
        self.x = x
        self.y = y
        self.loss_divisor = loss_divisor
        self.loss_evaluations = 0
        self.gradient_evaluations = 0

    @property
    def evaluations(self) -> tuple[int, int]:
        """Passes over the data so far: those for the loss, and those for its gradient."""
        return self.loss_evaluations, self.gradient_evaluations

    @property
    def majorant_scale(self) -> float:
        """Q = mean ||x||^2 / loss_divisor   (eq. 22)."""
        return math.fsum(np.square(self.x).sum(axis=1)) / len(self.x) / self.loss_divisor

    def loss(self, weights: Weights) -> float:
        """Value of the objective at ``weights``."""
        self.loss_evaluations += 1
        residual = forward(weights, self.x)[-1] - self.y
        return float((residual**2).sum() / (2 * self.loss_divisor * len(self.x)))

    def gradient(self, weights: Weights) -> Weights:
        """Gradient with respect to every weight, by back-propagation; ReLU'(0) = 0."""
        self.gradient_evaluations += 1
        layers = forward(weights, self.x)
        signal = (layers[-1] - self.y) / (self.loss_divisor * len(self.x))
        gradient: list[np.ndarray] = []
        for weight, inputs in zip(reversed(weights), reversed(layers[:-1]), strict=True):
            gradient.insert(0, signal.T @ inputs)
            signal = (signal @ weight) * (inputs > 0)
        return tuple(gradient)

    def curve_derivatives(self, weights: Weights, velocity: Weights, order: int) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``, by propagating Taylor coefficients (eq. 7).

        Gamma_i(t) = W_i cos t + velocity_i sin t; a layer of zero velocity rests: Gamma_i(t) = W_i.
        """
        series = [self.x] + [np.zeros_like(self.x)] * order
        for depth, (weight, speed) in enumerate(zip(weights, velocity, strict=True)):
            curve = [curve_coefficient(weight, speed, k) for k in range(order + 1)]
            series = [sum(series[k - j] @ curve[j].T for j in range(k + 1)) for k in range(order + 1)]
            if depth < len(weights) - 1:
                active = series[0] > 0
                series = [coefficient * active for coefficient in series]
        error = [series[0] - self.y, *series[1:]]
        scale = 2 * self.loss_divisor * len(self.x)
        loss = [sum((error[j] * error[k - j]).sum() for j in range(k + 1)) / scale for k in range(order + 1)]
        return [math.factorial(k) * float(loss[k]) for k in range(1, order + 1)]


def forward(weights: Weights, x: np.ndarray) -> list[np.ndarray]:
    """Inputs of every layer and the output: [x, h_1, ..., h_{L-1}, f(x)], eq. 16."""
    layers = [x]
    for weight in weights[:-1]:
        layers.append(np.maximum(layers[-1] @ weight.T, 0.0))
    return [*layers, layers[-1] @ weights[-1].T]


def curve_coefficient(weight: np.ndarray, speed: np.ndarray, k: int) -> np.ndarray:
    """k-th Taylor coefficient of W cos t + speed sin t, or of the constant W where the layer rests."""
    if k == 0:
        return weight
    if not speed.any():
        return np.zeros_like(weight)
    sign = (-1) ** (k // 2)
    return sign * (speed if k % 2 else weight) / math.factorial(k)
