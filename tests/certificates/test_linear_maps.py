"""Networks with convolutions as matrices: the same outputs, and tighter bounds."""

import itertools
import math

import numpy as np
import pytest

from normbench.certificates import certify, stretches, verify
from normbench.errors import InvalidArgumentError
from normbench.networks import Network, convolutional, vgg16
from normbench.networks.activations import ACTIVATIONS, MaxMin, Relu, Tanh
from normbench.networks.base import Residual
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, MaxPool, Reshape, Scale, Upsample
from normbench.reference.network import forward

pytestmark = pytest.mark.quick

NETWORKS = [
    Network((3,), (Dense(3, 4), Relu(), Dense(4, 2))),
    Network((1, 8, 8), (Convolution(1, 3), Relu(), AveragePool(2), Convolution(3, 2, 3, 2, 0), Flatten(), Dense(2, 5))),
    Network(
        (2, 5, 4), (Convolution(2, 4, 2, 1, 1), Relu(), Convolution(4, 3, 3, 3, 2), Relu(), Flatten(), Dense(27, 2))
    ),
    Network((6,), (Scale(-2.0), Reshape((1, 2, 3)), Upsample(2), Convolution(1, 2), Tanh(), Flatten(), Dense(48, 1))),
    Network((3, 4, 2), (Convolution(3, 4), MaxMin(), Convolution(4, 6), MaxMin(), Flatten(), Dense(48, 3))),
    convolutional((1, 4, 6, 3), side=4),
    # the last channel of an odd number passes unchanged
    Network((3, 4, 2), (Convolution(3, 5), MaxMin(), Convolution(5, 1), MaxMin(), Flatten(), Dense(8, 3))),
    Network((2, 3, 3), (Convolution(2, 3), MaxMin(), Flatten(), Dense(27, 1), MaxMin(), Dense(1, 2))),
]


def drawn(network, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) / math.sqrt(math.prod(shape[1:])) for shape in network.weight_shapes]


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_the_matrices_compute_what_the_network_does(network):
    weights = drawn(network)
    matrices, activation = stretches(network, weights)
    between = Network(
        (matrices[0].shape[1],),
        tuple(itertools.chain.from_iterable((Dense(m.shape[1], m.shape[0]), activation) for m in matrices))[:-1],
    )
    x = np.random.default_rng(1).normal(size=(7, *network.input_shape))
    expected = forward(network, weights, x).reshape(7, -1)
    assert np.allclose(forward(between, matrices, x.reshape(7, -1)), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_the_bound_lies_between_measured_gains_and_the_product_over_layers(network):
    weights = drawn(network)
    matrices, activation = stretches(network, weights)
    found = certify(matrices, activation=activation)
    verify(matrices, found.certificate, activation=activation)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, *network.input_shape))
    step = 1e-3 * rng.normal(size=x.shape)
    change = (forward(network, weights, x + step) - forward(network, weights, x)).reshape(400, -1)
    gains = np.linalg.norm(change, axis=1) / np.linalg.norm(step.reshape(400, -1), axis=1)
    assert gains.max() <= found.bound <= network.lipschitz(weights) * (1 + 1e-8)


def test_a_small_convolutional_network_has_a_bound_well_below_the_product():
    network = convolutional((1, 4, 6, 3), side=4)
    weights = drawn(network)
    matrices, activation = stretches(network, weights)
    assert certify(matrices, activation=activation).bound < 0.6 * network.lipschitz(weights)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Network((1, 4, 4), (Convolution(1, 2), MaxPool(2), Flatten(), Dense(8, 1))), "MaxPool.*no linear map"),
        (Network((4,), (Residual((Dense(4, 4),)),)), "Residual.*no linear map"),
        (Network((4,), (Dense(4, 4), Relu(), Dense(4, 4), Tanh(), Dense(4, 1))), "two activations"),
        (vgg16(100), "too large|BatchNorm"),
        (Network((3, 32, 32), (Convolution(3, 64), Relu(), Flatten(), Dense(65536, 10))), "too large"),
    ],
)
def test_what_has_no_matrices_is_refused_with_the_remedy(network, words):
    weights = [np.zeros(shape) for shape in network.weight_shapes]
    with pytest.raises(InvalidArgumentError, match=words) as caught:
        stretches(network, weights)
    assert "Network.lipschitz" in str(caught.value)


def test_activations_of_every_name_are_known():
    for activation in ACTIVATIONS.values():
        network = Network((2,), (Dense(2, 4), activation, Dense(4, 1)))
        assert stretches(network, drawn(network))[1] == activation
