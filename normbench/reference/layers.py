"""What every kind of layer does in NumPy: forwards, backwards, and to Taylor coefficients along a curve."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, entry
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, Reshape, Scale, Upsample

Weights = tuple[np.ndarray, ...]
Series = list[np.ndarray]  # Taylor coefficients in t, of order 0, 1, ...


class Evaluation(NamedTuple):
    """What one kind of layer does; every function takes the layer first.

    Attributes
    ----------
    outputs : callable
        (weights, x) to y.
    pull_back : callable
        (weights, x, signal) to the derivative of the loss with respect to x, the signal being that with respect to y.
    series : callable
        (curve, series) to the Taylor coefficients of y, from those of the one weight and of x.
    weight_gradient : callable or None
        (x, signal) to the derivative of the loss with respect to the weight, if there is one.
    """

    outputs: Callable[[Any, Weights, np.ndarray], np.ndarray]
    pull_back: Callable[[Any, Weights, np.ndarray, np.ndarray], np.ndarray]
    series: Callable[[Any, Series, Series], Series]
    weight_gradient: Callable[[Any, np.ndarray, np.ndarray], np.ndarray] | None = None


def evaluation(layer: Layer) -> Evaluation:
    """What the layer does.

    Raises
    ------
    InvalidArgumentError
        If it has no reference implementation.
    """
    return entry(_EVALUATIONS, layer, "the reference")


def _bilinear(layer: Layer, curve: Series, series: Series) -> Series:
    """A product of weight and samples: (W h)_k = sum_j W_j h_{k-j}."""
    outputs = evaluation(layer).outputs
    orders = range(len(series))
    return [np.sum([outputs(layer, (curve[j],), series[k - j]) for j in range(k + 1)], axis=0) for k in orders]


def _linear(layer: Layer, curve: Series, series: Series) -> Series:
    outputs = evaluation(layer).outputs
    return [outputs(layer, (), coefficient) for coefficient in series]


def _gate(slopes: Callable[[Any, np.ndarray], np.ndarray]) -> dict[str, Any]:
    """The way back and the series of an activation that is linear in pieces, from its derivative at x."""

    def slope(layer: Any, x: np.ndarray) -> np.ndarray:
        return slopes(layer, x).astype(x.dtype, copy=False)  # of single precision where x is

    return {
        "pull_back": lambda layer, weights, x, signal: slope(layer, x) * signal,
        "series": lambda layer, curve, series: [slope(layer, series[0]) * coefficient for coefficient in series],
    }


def _tanh_series(layer: Tanh, curve: Series, series: Series) -> Series:
    """Coefficients of y = tanh(s), from y' = r s' with r = 1 - y^2.

    k y_k = sum_{j=1}^k j s_j r_{k-j},  r_k = -sum_{i=0}^k y_i y_{k-i}
    """
    y = [np.tanh(series[0])]
    r = [1 - y[0] ** 2]
    for k in range(1, len(series)):
        y.append(np.sum([j * series[j] * r[k - j] for j in range(1, k + 1)], axis=0) / k)
        r.append(-np.sum([y[i] * y[k - i] for i in range(k + 1)], axis=0))
    return y


def _in_pairs(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Units 2i and 2i + 1 of ``x`` swapped where those of ``by`` ascend, which undoes itself; a last odd one stays."""
    even = x.shape[1] // 2 * 2
    first, second = slice(0, even, 2), slice(1, even, 2)
    ascends = by[:, second] > by[:, first]
    result = x.copy()
    result[:, first] = np.where(ascends, x[:, second], x[:, first])
    result[:, second] = np.where(ascends, x[:, first], x[:, second])
    return result


def _convolved(layer: Convolution, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Sum over channels and positions of the kernel, of every patch."""
    return np.moveaxis(np.tensordot(_patches(layer, x), weights[0], axes=([1, 4, 5], [1, 2, 3])), -1, 1)


def _patches(layer: Convolution, x: np.ndarray) -> np.ndarray:
    """What the kernel is laid upon, shape (samples, channels_in, height, width, size, size), of the output's size."""
    padded = np.pad(x, [(0, 0), (0, 0)] + [(layer.padding, layer.padding)] * 2)
    windows = sliding_window_view(padded, (layer.size, layer.size), axis=(2, 3))
    return windows[:, :, :: layer.stride, :: layer.stride]


def _scatter(layer: Convolution, weights: Weights, x: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Transposed convolution: every output's signal goes back to the pixels of its patch."""
    padding, stride = layer.padding, layer.stride
    samples, channels, height, width = x.shape
    padded = np.zeros((samples, channels, height + 2 * padding, width + 2 * padding))
    rows, columns = (stride * side for side in signal.shape[2:])
    for a, b in np.ndindex(layer.size, layer.size):
        back = np.tensordot(signal, weights[0][:, :, a, b], axes=(1, 0))
        padded[:, :, a : a + rows : stride, b : b + columns : stride] += np.moveaxis(back, -1, 1)
    return padded[:, :, padding : padding + height, padding : padding + width]


def _tiles(x: np.ndarray, size: int) -> np.ndarray:
    """Tiles of size x size on axes 3 and 5."""
    samples, channels, height, width = x.shape
    return x.reshape(samples, channels, height // size, size, width // size, size)


def _repeated(x: np.ndarray, factor: int) -> np.ndarray:
    return x.repeat(factor, axis=2).repeat(factor, axis=3)


_EVALUATIONS: dict[type[Layer], Evaluation] = {
    Dense: Evaluation(
        outputs=lambda layer, weights, x: x @ weights[0].T,
        pull_back=lambda layer, weights, x, signal: signal @ weights[0],
        series=_bilinear,
        weight_gradient=lambda layer, x, signal: signal.reshape(-1, signal.shape[-1]).T @ x.reshape(-1, x.shape[-1]),
    ),
    Convolution: Evaluation(
        outputs=_convolved,
        pull_back=_scatter,
        series=_bilinear,
        weight_gradient=lambda layer, x, signal: np.tensordot(signal, _patches(layer, x), axes=([0, 2, 3], [0, 2, 3])),
    ),
    Relu: Evaluation(
        outputs=lambda layer, weights, x: np.maximum(x, 0.0), **_gate(lambda layer, x: np.where(x > 0, 1.0, 0.0))
    ),
    LeakyRelu: Evaluation(
        outputs=lambda layer, weights, x: np.where(x > 0, x, layer.slope * x),
        **_gate(lambda layer, x: np.where(x > 0, 1.0, layer.slope)),
    ),
    Tanh: Evaluation(
        outputs=lambda layer, weights, x: np.tanh(x),
        pull_back=lambda layer, weights, x, signal: (1 - np.tanh(x) ** 2) * signal,
        series=_tanh_series,
    ),
    MaxMin: Evaluation(
        outputs=lambda layer, weights, x: _in_pairs(x, x),
        pull_back=lambda layer, weights, x, signal: _in_pairs(signal, x),
        series=lambda layer, curve, series: [_in_pairs(coefficient, series[0]) for coefficient in series],
    ),
    AveragePool: Evaluation(
        outputs=lambda layer, weights, x: _tiles(x, layer.size).mean(axis=(3, 5)),
        pull_back=lambda layer, weights, x, signal: _repeated(signal, layer.size) / layer.size**2,
        series=_linear,
    ),
    Upsample: Evaluation(
        outputs=lambda layer, weights, x: _repeated(x, layer.factor),
        pull_back=lambda layer, weights, x, signal: _tiles(signal, layer.factor).sum(axis=(3, 5)),
        series=_linear,
    ),
    Flatten: Evaluation(
        outputs=lambda layer, weights, x: x.reshape(len(x), -1),
        pull_back=lambda layer, weights, x, signal: signal.reshape(x.shape),
        series=_linear,
    ),
    Reshape: Evaluation(
        outputs=lambda layer, weights, x: x.reshape(len(x), *layer.shape),
        pull_back=lambda layer, weights, x, signal: signal.reshape(x.shape),
        series=_linear,
    ),
    Scale: Evaluation(
        outputs=lambda layer, weights, x: layer.factor * x,
        pull_back=lambda layer, weights, x, signal: layer.factor * signal,
        series=_linear,
    ),
}
