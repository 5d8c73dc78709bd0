"""Image classifiers of arXiv 2304.05187 (section 4): bias-free, and batch norm without affine parameters."""

from normbench.networks.activations import Relu
from normbench.networks.base import Layer, Network, Residual
from normbench.networks.families import check_sizes
from normbench.networks.layers import AveragePool, BatchNorm, Convolution, Dense, Flatten, MaxPool


def vgg16(classes: int, *, width: int = 64, side: int = 32, channels: int = 3) -> Network:
    """Thirteen 3 x 3 convolutions with batch norm and ReLU, in groups of 2, 2, 3, 3 and 3, and one dense layer.

    The groups have ``width`` times 1, 2, 4, 8 and 8 channels; the map is halved behind each, where its side is even.

    Raises
    ------
    InvalidArgumentError
        If a size is not positive.
    """
    check_sizes(classes=classes, width=width, side=side, channels=channels)
    layers: list[Layer] = []
    channels_in, map_side = channels, side
    for depth, factor in [(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)]:
        for _ in range(depth):
            layers += [Convolution(channels_in, factor * width), BatchNorm(), Relu()]
            channels_in = factor * width
        if map_side % 2 == 0:
            layers.append(MaxPool(2))
            map_side //= 2
    layers += [Flatten(), Dense(channels_in * map_side**2, classes)]
    return Network((channels, side, side), tuple(layers))


def preactivation_resnet18(classes: int, *, width: int = 64, side: int = 32, channels: int = 3) -> Network:
    """ResNet-18 with pre-activation (arXiv 1603.05027) for small images: a 3 x 3 stem and four pairs of basic blocks.

    The pairs have ``width`` times 1, 2, 4 and 8 channels, and all but the first halve the map, rounding up. Where a
    block changes the shape, its shortcut is a 1 x 1 convolution behind the block's first batch norm and ReLU.

    Raises
    ------
    InvalidArgumentError
        If a size is not positive.
    """
    check_sizes(classes=classes, width=width, side=side, channels=channels)
    layers: list[Layer] = [Convolution(channels, width)]
    channels_in, map_side = width, side
    for factor, stride in [(1, 1), (2, 2), (4, 2), (8, 2)]:
        layers += [*_block(channels_in, factor * width, stride), *_block(factor * width, factor * width, 1)]
        channels_in, map_side = factor * width, -(-map_side // stride)
    layers += [BatchNorm(), Relu(), AveragePool(map_side), Flatten(), Dense(channels_in, classes)]
    return Network((channels, side, side), tuple(layers))


def _block(channels_in: int, channels_out: int, stride: int) -> tuple[Layer, ...]:
    """Basic pre-activation block; with a projection, the first activation is common to both branches."""
    activate = (BatchNorm(), Relu())
    body = (Convolution(channels_in, channels_out, stride=stride), *activate, Convolution(channels_out, channels_out))
    if channels_in == channels_out and stride == 1:
        return (Residual((*activate, *body)),)
    projection = Convolution(channels_in, channels_out, size=1, stride=stride, padding=0)
    return (*activate, Residual(body, (projection,)))


_EXPANSION = 4  # channels behind a bottleneck over those in it


def resnet50(
    classes: int,
    *,
    width: int = 64,
    side: int = 224,
    channels: int = 3,
    blocks: tuple[int, ...] = (3, 4, 6, 3),
) -> Network:
    """ResNet-50 (arXiv 1512.03385) as torchvision has it, "v1.5": a block halves the map in its 3 x 3 convolution.

    A 7 x 7 stem and a pool of 3 x 3, which halve the map each, then ``blocks`` bottlenecks of 1 x 1, 3 x 3 and 1 x 1
    convolutions with ``width`` times 1, 2, 4 and 8 channels inside and four times as many behind; all groups but the
    first halve the map, rounding up. At the defaults 25,502,912 weights: those of torchvision without the biases and
    affine parameters, which the authors of arXiv 2304.05187 leave out (section 3.3; jxbz/agd,
    ``architecture/resnet.py``).

    Raises
    ------
    InvalidArgumentError
        If a size is not positive.
    """
    check_sizes(classes=classes, width=width, side=side, channels=channels)
    layers: list[Layer] = [Convolution(channels, width, size=7, stride=2, padding=3), BatchNorm(), Relu()]
    layers.append(MaxPool(3, stride=2, padding=1))
    channels_in, map_side = width, -(-side // 4)
    for group, number in enumerate(blocks):
        inside = width * 2**group
        for block in range(number):
            stride = 2 if group and not block else 1
            layers += [_bottleneck(channels_in, inside, stride), Relu()]
            channels_in, map_side = _EXPANSION * inside, -(-map_side // stride)
    layers += [AveragePool(map_side), Flatten(), Dense(channels_in, classes)]
    return Network((channels, side, side), tuple(layers))


def _bottleneck(channels_in: int, inside: int, stride: int) -> Residual:
    """Three convolutions with batch norm; with a projection where the shape changes."""
    channels_out = _EXPANSION * inside
    body = (
        *(_pointwise(channels_in, inside), BatchNorm(), Relu()),
        *(Convolution(inside, inside, stride=stride), BatchNorm(), Relu()),
        *(_pointwise(inside, channels_out), BatchNorm()),
    )
    same = channels_in == channels_out and stride == 1
    return Residual(body, () if same else (_pointwise(channels_in, channels_out, stride), BatchNorm()))


def _pointwise(channels_in: int, channels_out: int, stride: int = 1) -> Convolution:
    return Convolution(channels_in, channels_out, size=1, stride=stride, padding=0)
