"""What a forward pass of a network costs: multiplications with additions, and numbers that the layers put out."""

import math

from normbench.networks.base import Attention, Convolution, Dense, Layer, Network, Residual, Shape, output_shape


def multiply_adds(network: Network) -> int:
    """Multiplications of a weight or an attention with the additions behind them, for one sample.

    Dense, at every position: fan_in fan_out. Convolution, at every pixel of its output: channels_in channels_out
    size^2. Attention over T positions: 4 T width^2 for its weights, and 2 T^2 width for the scores and the mixing.
    Layers without weights and the look-up of an embedding count nothing.

    Raises
    ------
    InvalidArgumentError
        If the layers do not fit together.
    """
    return sum(_multiply_adds(layer, shape) for layer, shape in _with_inputs(network))


def outputs(network: Network) -> int:
    """Numbers that all layers together put out for one sample; errors as :func:`multiply_adds`."""
    return sum(_outputs(layer, shape) for layer, shape in _with_inputs(network))


def _with_inputs(network: Network) -> list[tuple[Layer, Shape]]:
    """Every layer with the shape of a sample in front of it."""
    shapes = [network.input_shape]
    for layer in network.layers:
        shapes.append(output_shape(layer, shapes[-1]))
    return list(zip(network.layers, shapes[:-1], strict=True))


def _multiply_adds(layer: Layer, shape: Shape) -> int:
    match layer:
        case Dense(fan_in, fan_out):
            return math.prod(shape[:-1]) * fan_in * fan_out
        case Convolution(channels_in, channels_out, size):
            pixels = math.prod(output_shape(layer, shape)[1:])
            return pixels * channels_in * channels_out * size**2
        case Attention(width):
            positions = shape[0]
            return 4 * positions * width**2 + 2 * positions**2 * width
        case Residual(body, shortcut):
            return multiply_adds(Network(shape, body)) + multiply_adds(Network(shape, shortcut))
    return 0


def _outputs(layer: Layer, shape: Shape) -> int:
    own = math.prod(output_shape(layer, shape))
    if isinstance(layer, Residual):
        return own + outputs(Network(shape, layer.body)) + outputs(Network(shape, layer.shortcut))
    return own
