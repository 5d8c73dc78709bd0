"""Networks with convolutions as plain ones: every stretch of linear layers between two activations as one matrix.

A convolution with zero padding, an average pool and a dense layer behind them are one linear map, whose operator norm
is at most the product of theirs, often by far; and plain networks have all the bounds of this folder. The matrices are
as large as the images, so this is for small ones. Products of layers are rounded, to some 1e-15 of their size: a bound
is that of the matrices as they are returned.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.networks.activations import Activation, MaxMin, Relu
from normbench.networks.base import Layer, Network, Shape, check_weights, with_weights
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, Reshape, Scale, Upsample

MOST_ENTRIES = 2**24  # of a matrix: 128 MiB

_Images = np.ndarray  # (batch, *shape of a sample)


def stretches(network: Network, weights: Sequence[np.ndarray]) -> tuple[list[np.ndarray], Activation]:
    """The network as matrices (n_k, n_{k-1}) with one activation between them, for ``certify`` and ``verify``.

    Units are the entries of a sample in C order; at a maxmin of channels they are reordered, so that the units of a
    pair are neighbours. Each unit of an odd channel, which passes unchanged, stands there twice with the root of a half
    of its weights, as maxmin leaves equal units as they are.

    Parameters
    ----------
    network : Network
        Of dense layers, convolutions, average pools, upsampling, constant factors, flattening and one kind of
        activation.
    weights : sequence of arrays

    Returns
    -------
    matrices : list of arrays, float64
    activation : Activation
        Relu for a network without any.

    Raises
    ------
    InvalidArgumentError
        If a layer is no linear map, or a matrix would have more than 2^24 entries: ``network.lipschitz(weights)`` has
        the product bound of such networks.

    Examples
    --------
    >>> from normbench.networks import AveragePool, Convolution, Dense, Flatten, Relu
    >>> f = Network((1, 4, 4), (Convolution(1, 2), Relu(), AveragePool(2), Flatten(), Dense(8, 3)))
    >>> matrices, activation = stretches(f, [np.ones(shape) for shape in f.weight_shapes])
    >>> [matrix.shape for matrix in matrices], activation
    ([(32, 16), (3, 32)], Relu())
    """
    check_weights(network, (np.shape(weight) for weight in weights))
    for layer in network.layers:  # before anything large is made
        if not isinstance(layer, Activation):
            _check_map(layer)
    shape, activation = network.input_shape, None
    matrices: list[np.ndarray] = []
    signals: _Images | None = None  # the unit vectors, where nothing has been applied to them
    for layer, own in with_weights(network.layers, [np.asarray(weight, np.float64) for weight in weights]):
        if isinstance(layer, Activation):
            if activation not in (None, layer):
                raise InvalidArgumentError(
                    f"the network has two activations, {activation} and {layer}, and certificates know one between all "
                    "layers. Network.lipschitz has the product bound."
                )
            activation = layer
            order = _order(shape) if isinstance(layer, MaxMin) else np.arange(math.prod(shape))
            signals = _basis(shape) if signals is None else signals
            matrices.append(_taken(signals.reshape(len(signals), -1).T, order))
            signals = _taken(_basis(shape), order)
        else:
            behind = layer.output_shape(shape)
            columns = math.prod(shape) if signals is None else len(signals)
            if columns * math.prod(behind) > MOST_ENTRIES:
                raise InvalidArgumentError(
                    f"the network is too large for a matrix: {layer} would be one of {math.prod(behind)} x "
                    f"{columns}. Network.lipschitz has the product bound."
                )
            signals = _basis(shape) if signals is None else signals
            signals, shape = _MAPS[type(layer)](layer, signals, own), behind
    signals = _basis(shape) if signals is None else signals
    matrices.append(signals.reshape(len(signals), -1).T)
    return matrices, activation or Relu()


def _basis(shape: Shape) -> _Images:
    """The unit vectors as samples."""
    size = math.prod(shape)
    return np.eye(size).reshape(size, *shape)


def _order(shape: Shape) -> np.ndarray:
    """Units with the partners of maxmin side by side: position by position, channels 2i and 2i + 1.

    Those of a last channel without a partner come twice, each beside itself; the last of all, beside which there is
    nothing, once.
    """
    channels = shape[0]
    units = np.arange(math.prod(shape)).reshape(channels, -1)
    pairs = units[: channels // 2 * 2].reshape(channels // 2, 2, units.shape[1]).transpose(0, 2, 1)
    alone = units[channels // 2 * 2 :].ravel()
    return np.concatenate([pairs.ravel(), np.repeat(alone[:-1], 2), alone[-1:]])


def _taken(units: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The units in this order; one that stands there twice counts the root of a half each time, as its norm stays."""
    times, found = np.bincount(order)[order], units[order]
    return found if times.max() == 1 else found / np.sqrt(times).reshape(-1, *[1] * (units.ndim - 1))


def _check_map(layer: Layer) -> None:
    if type(layer) not in _MAPS:
        known = ", ".join(kind.__name__ for kind in _MAPS)
        raise InvalidArgumentError(
            f"layer {layer} is no linear map that certificates know, which are {known}. Network.lipschitz has the "
            "product bound where there is one."
        )


def _convolution(layer: Convolution, x: _Images, own: Sequence[np.ndarray]) -> _Images:
    kernel, stride, padding = own[0], layer.stride, layer.padding
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((side - layer.size) // stride + 1 for side in padded.shape[2:])
    found = np.zeros((len(x), layer.channels_out, height, width))
    for row in range(layer.size):
        for column in range(layer.size):
            seen = padded[:, :, row : row + stride * height : stride, column : column + stride * width : stride]
            found += np.einsum("bchw,oc->bohw", seen, kernel[:, :, row, column], optimize=True)
    return found


def _average_pool(layer: AveragePool, x: _Images, own: Sequence[np.ndarray]) -> _Images:
    batch, channels, height, width = x.shape
    tiles = x.reshape(batch, channels, height // layer.size, layer.size, width // layer.size, layer.size)
    return tiles.mean(axis=(3, 5))


_MAPS: dict[type[Layer], Callable[[Any, _Images, Sequence[np.ndarray]], _Images]] = {
    Dense: lambda layer, x, own: x @ own[0].T,
    Convolution: _convolution,
    AveragePool: _average_pool,
    Upsample: lambda layer, x, own: x.repeat(layer.factor, axis=2).repeat(layer.factor, axis=3),
    Flatten: lambda layer, x, own: x.reshape(len(x), -1),
    Reshape: lambda layer, x, own: x.reshape(len(x), *layer.shape),
    Scale: lambda layer, x, own: layer.factor * x,
}
