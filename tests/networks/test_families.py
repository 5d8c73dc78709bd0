"""Declarations: parameter counts as published, shapes, the pairing of layers with weights, and errors."""

import math

import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.networks import (
    Network,
    discriminator,
    generator,
    perceptron,
    preactivation_resnet18,
    resnet50,
    transformer,
    vgg16,
)
from normbench.networks.activations import Relu
from normbench.networks.base import Residual, check_weights, with_weights
from normbench.networks.layers import Attention, BatchNorm, Convolution, Dense, Flatten, MaxPool
from normbench.networks.positions import sinusoids
from tests.networks.examples import ALL

pytestmark = pytest.mark.quick


def count(network: Network) -> int:
    return sum(math.prod(shape) for shape in network.weight_shapes)


def test_vgg16_has_the_published_number_of_weights():
    # torchvision's vgg16: 14,714,688 in its convolutions, of which 4,224 are biases
    assert count(vgg16(10)) == 14_714_688 - 4_224 + 512 * 10
    assert len(vgg16(10).weight_shapes) == 14


def test_resnet18_has_the_published_number_of_weights():
    # torchvision's resnet18: 11,689,512, with a stem of 7 x 7, 9,600 affine parameters, and 513,000 for 1,000 classes
    assert count(preactivation_resnet18(10)) == 11_689_512 - 9_600 - 513_000 - 9_408 + 27 * 64 + 512 * 10
    assert len(preactivation_resnet18(10).weight_shapes) == 18 + 3


def test_resnet50_has_the_weights_of_torchvisions_but_biases_and_affine_parameters():
    normed = 64 + 3 * 2 * 64 + 3 * 256 + 256 + 4 * 2 * 128 + 4 * 512 + 512 + 6 * 2 * 256 + 6 * 1024 + 1024
    normed += 3 * 2 * 512 + 3 * 2048 + 2048
    assert count(resnet50(1000)) == 25_557_032 - 2 * normed - 1000 == 25_502_912
    assert len(resnet50(1000).weight_shapes) == 50 + 4  # and the projections


def test_transformer_has_the_weights_of_its_parts():
    assert count(transformer(33_278)) == 2 * 33_278 * 200 + 2 * (4 + 2) * 200**2


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (vgg16(10), (10,)),
        (vgg16(10, width=4, side=28, channels=1), (10,)),
        (preactivation_resnet18(10), (10,)),
        (preactivation_resnet18(7, width=4, side=28, channels=1), (7,)),
        (resnet50(1000), (1000,)),
        (resnet50(3, width=2, side=28, channels=1), (3,)),
        (transformer(50, width=8, length=12), (12, 50)),
        (generator(16, 10, width=8, side=28, channels=1), (1, 28, 28)),
        (discriminator(10, width=8, side=28, channels=1), (1,)),
    ],
    ids=[
        "vgg",
        "vgg-28",
        "resnet",
        "resnet-28",
        "resnet50",
        "resnet50-28",
        "transformer",
        "generator",
        "discriminator",
    ],
)
def test_output_shape(network, shape):
    assert network.output_shape == shape


@pytest.mark.parametrize(
    ("side", "halvings", "features"), [(32, 5, 512), (28, 2, 512 * 49), (8, 3, 512), (9, 0, 512 * 81)]
)
def test_vgg_halves_the_map_while_it_can(side, halvings, features):
    network = vgg16(10, side=side)
    assert sum(isinstance(layer, MaxPool) for layer in network.layers) == halvings
    assert network.weight_shapes[-1] == (10, features)


def test_resnet_projects_behind_the_activation_where_the_shape_changes():
    blocks = [layer for layer in preactivation_resnet18(10).layers if isinstance(layer, Residual)]
    assert [bool(block.shortcut) for block in blocks] == [False, False, True, False, True, False, True, False]
    for block in blocks:
        body = (BatchNorm, Relu, Convolution, BatchNorm, Relu, Convolution)
        assert tuple(map(type, block.body)) == (body[2:] if block.shortcut else body)


def test_the_discriminator_has_no_batch_norm():
    assert not any(isinstance(layer, BatchNorm) for layer in discriminator(10, width=8, side=32, channels=3).layers)


@pytest.mark.parametrize(
    "build",
    [
        lambda: vgg16(0),
        lambda: preactivation_resnet18(10, width=0),
        lambda: resnet50(0),
        lambda: transformer(10, width=5, heads=2),
        lambda: transformer(10, depth=0),
        lambda: generator(4, 3, width=2, side=10, channels=1),
        lambda: discriminator(3, width=2, side=6, channels=1),
        lambda: discriminator(3, width=2, side=8, channels=-1),
    ],
)
def test_impossible_sizes_are_refused(build):
    with pytest.raises(InvalidArgumentError, match="must"):
        build()


@pytest.mark.parametrize("name", ALL)
def test_every_layer_gets_its_own_weights(name):
    network = ALL[name]
    shapes = []
    for layer, own in with_weights(network.layers, network.weight_shapes):
        assert list(own) == list(Network((), (layer,)).weight_shapes)
        shapes += own
    assert tuple(shapes) == network.weight_shapes
    check_weights(network, shapes)


def test_the_branches_of_a_residual_share_out_its_weights():
    layer = Residual((Attention(4, 2), Dense(4, 4)), (Dense(4, 4),))
    assert layer.split(tuple(range(6))) == ((0, 1, 2, 3, 4), (5,))


@pytest.mark.parametrize("shapes", [[], [(3, 2), (1, 4)], [(3, 2), (1, 3), (1, 1)]])
def test_weights_of_other_shapes_are_refused(shapes):
    with pytest.raises(InvalidArgumentError, match="weight_shapes"):
        check_weights(perceptron((2, 3, 1)), shapes)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (BatchNorm(), (4,)),
        (Dense(3, 2), (4,)),
        (Convolution(3, 2), (2, 5, 5)),
        (Attention(6, 4), (5, 6)),
        (MaxPool(2), (1, 5, 4)),
        (MaxPool(3, stride=2, padding=2), (1, 5, 4)),
        (MaxPool(3, stride=2), (1, 2, 4)),
    ],
)
def test_a_layer_refuses_samples_that_do_not_fit(layer, shape):
    with pytest.raises(InvalidArgumentError, match="does not take samples"):
        layer.output_shape(shape)


def test_networks_are_values():
    assert hash(vgg16(3)) == hash(vgg16(3))
    assert vgg16(3) == vgg16(3) != vgg16(4)
    assert Network((2, 2), (Flatten(),)).output_shape == (4,)


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(7, 6)
    expected = [
        [(math.sin if i % 2 == 0 else math.cos)(t / 10000 ** ((i - i % 2) / 6)) for i in range(6)] for t in range(7)
    ]
    np.testing.assert_allclose(table, expected, rtol=1e-14)
    assert sinusoids(3, 5).shape == (3, 5)
