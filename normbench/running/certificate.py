"""The Lipschitz certificate: gains measured on pairs of inputs, none of which may exceed the bound."""

import math
from collections.abc import Callable

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.networks.families import is_perceptron
from normbench.problems.problem import Problem, Weights
from normbench.reference import network

PAIRS = 4096  # random pairs of training samples
SAMPLES = 512  # samples of a perceptron that are moved in the direction of their largest local gain
FEW_SAMPLES = 32  # the same of another network, where the Jacobian is made of differences, an input at a time
MANY_INPUTS = 256  # beyond, no such direction is looked for
NUDGE = 1e-4  # of the norm of a sample: small enough to stay among the same ReLUs nearly always


def largest_gain(problem: Problem, weights: Weights) -> float:
    """Largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, in the unit of :meth:`Problem.lipschitz_bound`.

    A lower estimate of the Lipschitz constant, of which prod ||W_i||_op is an upper one (arXiv 2312.10672, eq. 2).
    The pairs are random ones of training samples, and training samples with a neighbour in the direction of the top
    right singular vector of their Jacobian, where the gain is largest (not for networks of more than 256 inputs that
    are no perceptrons: there the estimate is of the random pairs alone).

    Parameters
    ----------
    problem : Problem
    weights : tuple of arrays, shape (d_k, d_{k-1}), float64

    Returns
    -------
    float
        NaN where a weight is not finite, or the network has no bound to hold it against or a layer that the reference
        does not know.
    """
    if math.isnan(problem.network.lipschitz(weights)):
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):  # weights of a run that diverged, still finite
        return _largest(problem, weights) * problem.input_norm * problem.output_scale


def _largest(problem: Problem, weights: Weights) -> float:
    def outputs(x: np.ndarray) -> np.ndarray:
        return network.forward(problem.network, weights, x)

    rng = np.random.default_rng(0)
    first, second = rng.integers(len(problem.x_train), size=(2, PAIRS))
    try:
        gains = _gains(outputs, problem.x_train[first], problem.x_train[second])
    except InvalidArgumentError:  # a layer that the reference does not know
        return math.nan
    samples = SAMPLES if is_perceptron(problem.network) else FEW_SAMPLES
    near = problem.x_train[rng.integers(len(problem.x_train), size=samples)]
    if is_perceptron(problem.network):
        jacobians = _jacobians(weights, near)
    elif near[0].size <= MANY_INPUTS:
        jacobians = _differences(outputs, near, NUDGE * problem.input_norm)
    else:
        return float(gains.max())
    ahead = near + NUDGE * problem.input_norm * _directions(jacobians).reshape(near.shape)
    steepest = _gains(outputs, near, ahead)
    return float(max(gains.max(), steepest.max()))


def _directions(jacobians: np.ndarray) -> np.ndarray:
    """Top right singular vector of every Jacobian; zero where that is zero or not finite.

    By the Gram matrix of its few rows, which for thousands of inputs costs a thousandth of a decomposition.
    """
    sizes = np.abs(jacobians).max(axis=(1, 2), keepdims=True)
    usable = np.isfinite(sizes) & (sizes > 0)
    scaled = np.divide(jacobians, sizes, out=np.zeros_like(jacobians), where=usable)
    left = np.linalg.eigh(scaled @ scaled.mT)[1][:, :, -1:]
    vectors = (scaled.mT @ left)[:, :, 0]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def _jacobians(weights: Weights, x: np.ndarray) -> np.ndarray:
    """df/dx at every row of ``x``, shape (samples, d_L, d_0), from the outputs, which are few, to the inputs."""
    gates: list[np.ndarray] = []
    for weight in weights[:-1]:
        x = x @ weight.T
        gates.append(x > 0)
        x = np.maximum(x, 0.0)
    signals = np.broadcast_to(weights[-1], (len(x), *weights[-1].shape))
    for weight, gate in zip(reversed(weights[:-1]), reversed(gates), strict=True):
        signals = (signals * gate[:, None]).reshape(-1, len(weight)) @ weight  # one large product
        signals = signals.reshape(len(x), -1, weight.shape[1])
    return signals


def _differences(outputs: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float) -> np.ndarray:
    """df/dx at every sample by forward differences, shape (samples, outputs, inputs)."""
    samples, inputs = len(x), x[0].size
    moved = (x.reshape(samples, 1, inputs) + step * np.eye(inputs)).reshape(samples * inputs, *x.shape[1:])
    values = outputs(moved).reshape(samples, inputs, -1)
    return (values - outputs(x).reshape(samples, 1, -1)).transpose(0, 2, 1) / step


def _gains(outputs: Callable[[np.ndarray], np.ndarray], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """||f(x) - f(x')|| / ||x - x'|| of every pair of samples; 0 for equal ones."""
    distance = np.linalg.norm((left - right).reshape(len(left), -1), axis=1)
    difference = np.linalg.norm((outputs(left) - outputs(right)).reshape(len(left), -1), axis=1)
    return np.divide(difference, distance, out=np.zeros_like(distance), where=distance > 0)
