"""Scaling of data and initial weights: Algorithm 1 of arXiv 2312.10672, prescription 1 of arXiv 2304.05187."""

import math

import numpy as np

from normbench.data.streamed import StreamedImages
from normbench.errors import DataError
from normbench.networks import Loss, Network, as_network
from normbench.networks.base import Shape
from normbench.networks.layers import Scale
from normbench.problems.initial_weights import draw
from normbench.problems.problem import Part, Problem, Weights
from normbench.specs.manifolds import initial_weights


def unit_inputs(inputs: np.ndarray) -> np.ndarray:
    """Every sample divided by its own norm: x / ||x||.

    Raises
    ------
    DataError
        If a sample has zero norm.
    """
    norms = np.linalg.norm(inputs.reshape(len(inputs), -1), axis=1)
    if not norms.all():
        raise DataError(f"input sample {int(np.argmin(norms))} has zero norm; x / ||x|| is undefined. Remove it.")
    return inputs / norms.reshape(-1, *[1] * (inputs.ndim - 1))


def unit_parts(train: Part, test: Part) -> tuple[Part, Part]:
    """Both parts with inputs x / ||x||; tokens stay as they are.

    Raises
    ------
    DataError
        If a sample has zero norm.
    """
    return (_inputs(train[0], 1.0), train[1]), (_inputs(test[0], 1.0), test[1])


def _largest_norm(targets: np.ndarray) -> float:
    largest = float(np.linalg.norm(targets, axis=1).max())
    if largest == 0.0:
        raise DataError("all training targets are zero, so Ymax = 0 and y / Ymax is undefined.")
    return largest


def spectral_initialisation(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
    initialisation: str = "xavier",
) -> Problem:
    """Algorithm 1 of arXiv 2312.10672: unit-norm inputs, weights on spheres, outputs scaled to the network's gain.

    W_i = W_i / ||W_i||_F,  x = x / ||x||,  y = prod ||W_i||_op y / Ymax, with Ymax over the training set.

    For cross-entropy the logits are scaled instead, f sqrt(d_L) / prod ||W_i||_op, to a norm of at most sqrt(d_L). In
    a network without a Lipschitz bound the product counts as 1, and tokens stay as they are.

    Parameters
    ----------
    train, test : pair of arrays, shapes (samples, ...) and (samples, d_L)
        Inputs and outputs in physical units; outputs one-hot or integers for classes.
    network : Network, or widths d_0, ..., d_L of a perceptron
    seed : int
        Seeds the weights.
    loss : Loss
    classes : int
    initialisation : str
        What is drawn, one of :data:`normbench.problems.initial_weights.INITIALISATIONS`.

    Raises
    ------
    DataError
        If a sample has zero norm or all training targets are zero.
    InvalidArgumentError
        If there are fewer than two layers, or a width is not positive.
    """
    network = as_network(network)
    drawn = draw(network.weight_shapes, seed=seed, initialisation=initialisation)
    weights = tuple(w / np.linalg.norm(w) for w in drawn)
    return _scaled_to_gain(train, test, network, weights, loss, classes)


def manifold_initialisation(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
    initialisation: str = "xavier",
) -> Problem:
    """Drawn weights projected onto the scaled manifolds of FG-SGD; the rest as Algorithm 1 of 2312.10672.

    The scales make gains so small that the square loss is divided by their square: else no learning rate would do.

    Parameters and errors as :func:`spectral_initialisation` and :func:`normbench.specs.manifolds.initial_weights`.
    """
    network = as_network(network)
    drawn = draw(network.weight_shapes, seed=seed, initialisation=initialisation)
    weights = initial_weights(
        drawn,
        manifold=manifold,
        grouping=grouping,
        groups=groups,
        partition_seed=partition_seed,
        positions=(1,) * len(drawn),
    )
    return _scaled_to_gain(train, test, network, weights, loss, classes, undone=True)


def _scaled_to_gain(
    train: Part, test: Part, network: Network, weights: Weights, loss: Loss, classes: int, *, undone: bool = False
) -> Problem:
    """Unit-norm inputs, and outputs scaled to the gain of the given weights, as in :func:`spectral_initialisation`.

    ``undone``: the square loss is divided by the squared gain, so that its size does not depend on it.
    """
    gain = network.lipschitz(weights)
    gain = gain if math.isfinite(gain) else 1.0
    if loss is Loss.CROSS_ENTROPY:
        outputs = network.output_shape[-1]
        network = Network(network.input_shape, (*network.layers, Scale(math.sqrt(outputs) / gain)))
    scale = gain / _largest_norm(train[1]) if loss is Loss.SQUARE else 1.0
    loss_divisor = gain**2 if undone and loss is Loss.SQUARE else 1.0
    train, test = unit_parts(train, test)
    return scaled_problem(train, test, network, weights, scale, 1.0, loss_divisor, loss, classes)


def dimensional_scaling(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
    initialisation: str = "orthogonal",
) -> Problem:
    """Prescription 1 of arXiv 2304.05187: ||x|| = sqrt(d_0), ||W_k||_op = sqrt(d_k / d_{k-1}), ||y|| <= sqrt(d_L).

    The paper gives every target the norm sqrt(d_L); a regression target carries its size, so here the largest
    training target has that norm and the others keep their ratio to it. Lemmas 3 to 8 need the upper bound only.

    Weights of another initialisation are scaled to the norm that they should have, layer by layer: of a kernel the root
    of the sum over its positions of ||W||_op^2, which is that of the semi-orthogonal ones.

    Parameters and errors as :func:`spectral_initialisation`.
    """
    network = as_network(network)
    outputs = network.output_shape[-1]
    weights = draw(network.weight_shapes, seed=seed, initialisation=initialisation)
    if initialisation != "orthogonal":  # which comes with the norms of the prescription
        weights = tuple(map(_prescribed, weights))
    input_norm = math.sqrt(math.prod(network.input_shape))
    scale = math.sqrt(outputs) / _largest_norm(train[1]) if loss is Loss.SQUARE else 1.0
    train, test = ((_inputs(x, input_norm), y) for x, y in (train, test))
    return scaled_problem(train, test, network, weights, scale, input_norm, float(outputs), loss, classes)


def _prescribed(weight: np.ndarray) -> np.ndarray:
    """The weight with the norm of prescription 1."""
    norms = np.linalg.norm(weight, 2, axis=(0, 1))
    return weight * (math.sqrt(weight.shape[0] / weight.shape[1]) / np.linalg.norm(norms))


def scaled_problem(
    train: Part,
    test: Part,
    network: Network,
    weights: Weights,
    scale: float,
    input_norm: float,
    loss_divisor: float,
    loss: Loss,
    classes: int,
) -> Problem:
    """A problem whose inputs stay as they are, and whose targets are multiplied by ``scale``."""
    (x_train, y_train), (x_test, y_test) = ((x, _targets(y, scale)) for x, y in (train, test))
    return Problem(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        weights=weights,
        loss_divisor=loss_divisor,
        output_scale=1.0 / scale,
        input_norm=input_norm,
        network=network,
        loss=loss,
        classes=classes,
    )


def _inputs(x: np.ndarray, norm: float) -> np.ndarray:
    if isinstance(x, StreamedImages):
        return x.scaled(norm)  # when they are read
    return x if np.issubdtype(x.dtype, np.integer) else unit_inputs(x.astype(np.float64)) * norm


def _targets(y: np.ndarray, scale: float) -> np.ndarray:
    return y if np.issubdtype(y.dtype, np.integer) else y * scale
