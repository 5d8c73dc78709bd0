"""The Lipschitz certificate: gains measured on pairs of inputs, none of which may exceed the bound."""

import numpy as np

from normbench.normalisation import Problem, Weights

PAIRS = 4096  # random pairs of training samples
SAMPLES = 512  # samples that are moved in the direction of their largest local gain
NUDGE = 1e-4  # of the norm of a sample: small enough to stay among the same ReLUs nearly always


def largest_gain(problem: Problem, weights: Weights) -> float:
    """Largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, in the unit of :meth:`Problem.lipschitz_bound`.

    A lower estimate of the Lipschitz constant, of which prod ||W_i||_op is an upper one (arXiv 2312.10672, eq. 2).
    The pairs are random ones of training samples, and training samples with a neighbour in the direction of the top
    right singular vector of their Jacobian, where the gain is largest.

    Parameters
    ----------
    problem : Problem
    weights : tuple of arrays, shape (d_k, d_{k-1}), float64

    Returns
    -------
    float
        NaN where a weight is not finite.
    """
    if not all(np.isfinite(weight).all() for weight in weights):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):  # weights of a run that diverged, still finite
        return _largest(problem, weights) * problem.input_norm * problem.output_scale


def _largest(problem: Problem, weights: Weights) -> float:
    rng = np.random.default_rng(0)
    first, second = rng.integers(len(problem.x_train), size=(2, PAIRS))
    apart = _gains(weights, problem.x_train[first], problem.x_train[second])
    near = problem.x_train[rng.integers(len(problem.x_train), size=SAMPLES)]
    directions = np.linalg.svd(_jacobians(weights, near))[2][:, 0]
    steepest = _gains(weights, near, near + NUDGE * problem.input_norm * directions)
    return float(max(apart.max(), steepest.max()))


def _forward(weights: Weights, x: np.ndarray) -> np.ndarray:
    for weight in weights[:-1]:
        x = np.maximum(x @ weight.T, 0.0)
    return x @ weights[-1].T


def _jacobians(weights: Weights, x: np.ndarray) -> np.ndarray:
    """df/dx at every row of ``x``, shape (samples, d_L, d_0)."""
    samples, inputs = x.shape
    tangents = np.tile(np.eye(inputs), (samples, 1))  # one row per sample and input: a few large products
    for weight in weights[:-1]:
        outputs = x @ weight.T
        tangents = (tangents @ weight.T) * np.repeat(outputs > 0, inputs, axis=0)
        x = np.maximum(outputs, 0.0)
    return (tangents @ weights[-1].T).reshape(samples, inputs, -1).transpose(0, 2, 1)


def _gains(weights: Weights, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """||f(x) - f(x')|| / ||x - x'|| of every pair of rows; 0 for equal ones."""
    distance = np.linalg.norm(left - right, axis=1)
    difference = np.linalg.norm(_forward(weights, left) - _forward(weights, right), axis=1)
    return np.divide(difference, distance, out=np.zeros_like(distance), where=distance > 0)
