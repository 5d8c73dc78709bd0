"""Bounds: against the explicit matrix of a convolution, against cruder bounds, and against measured gains."""

import itertools
import math

import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.networks import Network, convolutional, discriminator, perceptron, transformer, vgg16
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Residual
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, MaxPool, Scale, Upsample
from normbench.reference.network import forward
from tests.networks.examples import STRIDED, draw_weights

pytestmark = pytest.mark.quick

ROUNDING = 1 + 1e-12
GEOMETRIES = [
    (size, stride, padding)
    for size, stride, padding in itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (0, 1, 2))
    if size <= 3 + 2 * padding
]


def matrix_of(layer: Convolution, kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The convolution as a matrix: its outputs for every unit image."""
    images = np.eye(math.prod(shape)).reshape(-1, *shape)
    return forward(Network(shape, (layer, Flatten())), (kernel,), images).T


@pytest.mark.parametrize(("size", "stride", "padding"), GEOMETRIES)
def test_the_bound_of_a_convolution_lies_between_its_norm_and_the_cruder_bounds(size, stride, padding):
    for seed, (inputs, outputs, height, width) in enumerate([(2, 3, 5, 4), (3, 1, 3, 6), (1, 4, 3, 3), (2, 2, 7, 7)]):
        layer = Convolution(inputs, outputs, size, stride, padding)
        kernel = np.random.default_rng(seed).normal(size=(outputs, inputs, size, size))
        if seed == 3:
            kernel = np.ones_like(kernel)  # no cancellation: the largest norm for its size
        bound = layer.bound((kernel,), (inputs, height, width))
        assert np.linalg.norm(matrix_of(layer, kernel, (inputs, height, width)), 2) <= bound * ROUNDING, seed
        assert bound <= np.linalg.norm(kernel, 2, axis=(0, 1)).sum() * ROUNDING, seed
        unfolded = np.linalg.norm(kernel.reshape(outputs, -1), 2)
        assert bound <= layer.gain * unfolded * ROUNDING, seed


@pytest.mark.parametrize("stride", [1, 2])
def test_the_bound_is_close_on_large_images(stride):
    layer = Convolution(2, 3, stride=stride)
    kernel = np.random.default_rng(1).normal(size=(3, 2, 3, 3))
    shape = (2, 16, 16)
    assert layer.bound((kernel,), shape) < 1.05 * np.linalg.norm(matrix_of(layer, kernel, shape), 2)


def test_the_norm_of_a_pointwise_convolution_is_that_of_its_matrix():
    kernel = np.random.default_rng(0).normal(size=(5, 3, 1, 1))
    found = Convolution(3, 5, 1, 1, 0).bound((kernel,), (3, 4, 4))
    assert found == pytest.approx(np.linalg.norm(kernel[..., 0, 0], 2), rel=1e-12)


def test_only_what_meets_the_image_of_a_large_kernel_counts():
    layer, kernel = Convolution(1, 1, 5, 1, 2), np.arange(1.0, 26.0).reshape(1, 1, 5, 5)
    whole = layer.bound((kernel,), (1, 1, 1))
    assert kernel[0, 0, 2, 2] <= whole <= kernel[..., :3, :3].sum()
    kernel[..., 3:, :] = kernel[..., 3:] = np.nan  # what is not looked at cannot spread
    assert layer.bound((kernel,), (1, 1, 1)) == whole


def test_the_bound_of_a_perceptron_is_the_product_of_its_spectral_norms():
    network = perceptron((4, 7, 5, 2))
    weights = draw_weights(network, np.random.default_rng(0))
    expected = math.prod(np.linalg.norm(w, 2) for w in weights)
    assert network.lipschitz(weights) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (Relu(), 1),
        (Tanh(), 1),
        (MaxMin(), 1),
        (Flatten(), 1),
        (MaxPool(2), 1),
        (MaxPool(3, stride=2, padding=1), 2),
        (MaxPool(2, stride=1), 2),
        (AveragePool(2), 1 / 2),
        (LeakyRelu(0.2), 1),
        (LeakyRelu(-1.5), 1.5),
        (Upsample(3), 3),
        (Scale(-2.5), 2.5),
        (Residual((Scale(3.0), Scale(2.0))), 7),
        (Residual((Relu(),), (Scale(-0.5),)), 1.5),
    ],
)
def test_the_bound_of_a_layer_without_weights(layer, bound):
    assert Network((1, 4, 4), (layer,)).lipschitz(()) == bound


SMALL = {
    "convolutional": convolutional((2, 5, 3, 4), side=4),
    "strided": STRIDED,
    "discriminator": discriminator(2, width=3, side=8, channels=1),
    "deep": Network(
        (1, 6, 6), (Convolution(1, 4), Relu(), Convolution(4, 4, 3, 2, 1), LeakyRelu(0.5), Scale(-3.0), Flatten())
    ),
}


def gains(network: Network, weights: tuple[np.ndarray, ...], rng: np.random.Generator, pairs: int = 40) -> np.ndarray:
    """Measured between random pairs, and around samples in the direction where each local Jacobian stretches most."""
    x = rng.normal(size=(pairs, *network.input_shape))
    near = x + 1e-6 * np.stack([steepest(network, weights, sample) for sample in x])
    x, other = np.concatenate([x, x]), np.concatenate([rng.normal(size=x.shape), near])
    difference = forward(network, weights, x) - forward(network, weights, other)
    return np.linalg.norm(difference, axis=1) / np.linalg.norm((x - other).reshape(len(x), -1), axis=1)


def steepest(network: Network, weights: tuple[np.ndarray, ...], sample: np.ndarray) -> np.ndarray:
    nudges = 1e-6 * np.eye(sample.size).reshape(-1, *sample.shape)
    jacobian = (forward(network, weights, sample + nudges) - forward(network, weights, sample[None])) / 1e-6
    return np.linalg.svd(jacobian.T, full_matrices=False)[2][0].reshape(sample.shape)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SMALL)
def test_no_measured_gain_exceeds_the_bound(name, seed):
    network, rng = SMALL[name], np.random.default_rng(seed)
    weights = draw_weights(network, rng)
    found, bound = gains(network, weights, rng).max(), network.lipschitz(weights)
    assert 0.02 * bound < found <= bound * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("activation", "pool"),
    [
        (Tanh(), MaxPool(2)),
        (Relu(), MaxPool(3, stride=2, padding=1)),
        (LeakyRelu(1.5), AveragePool(3)),
        (Relu(), Upsample(2)),
    ],
)
def test_no_measured_gain_exceeds_the_bound_in_torch(activation, pool, seed):
    """Layers that the reference lacks, and a residual one."""
    import torch

    from normbench.torch.benchmark.network import build

    layers = (
        Convolution(1, 3),
        activation,
        pool,
        Residual((Convolution(3, 2), activation), (Convolution(3, 2, 1, 1, 0),)),
    )
    network, rng = Network((1, 6, 6), (*layers, Flatten())), np.random.default_rng(seed)
    weights = draw_weights(network, rng)
    model = build(network, weights, dtype=torch.float64, device="cpu")
    x = rng.normal(size=(60, 1, 6, 6))
    jacobians = torch.func.vmap(torch.func.jacrev(lambda one: model(one[None])[0]))(torch.tensor(x))
    steep = np.linalg.norm(jacobians.detach().numpy().reshape(60, -1, 36), 2, axis=(1, 2)).max()
    bound = network.lipschitz(weights)
    assert 0.02 * bound < steep <= bound * ROUNDING


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "network",
    [
        SMALL["convolutional"],
        Network((2, 6, 6), (Convolution(2, 3, 3, 2, 1), Relu(), Scale(2.0), Flatten(), Dense(27, 2))),
    ],
)
def test_the_fixed_gain_with_unfolded_norms_bounds_outputs(network, seed):
    """||f(x)|| <= gain prod ||W_k||_op ||x||, and the bound by Fourier transforms is at least as good."""
    rng = np.random.default_rng(seed)
    weights = draw_weights(network, rng)
    x = rng.normal(size=(50, *network.input_shape))
    unfolded = network.gain * math.prod(np.linalg.norm(w.reshape(len(w), -1), 2) for w in weights)
    found = np.linalg.norm(forward(network, weights, x), axis=1) / np.linalg.norm(x.reshape(50, -1), axis=1)
    assert found.max() <= network.lipschitz(weights) * ROUNDING
    assert network.lipschitz(weights) <= unfolded * ROUNDING


def test_the_fixed_gain_counts_patches_pools_and_constants():
    layers = (Convolution(1, 2), Relu(), AveragePool(2), Convolution(2, 3, 3, 2, 1), MaxPool(2), Scale(-5.0), Flatten())
    assert Network((1, 16, 16), layers).gain == 3 * 0.5 * 2 * 5
    assert perceptron((3, 4, 2)).gain == 1


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (vgg16(3, width=1, side=4), "BatchNorm"),
        (transformer(5, width=4), "Embedding"),
        (Network((1, 2, 2), (Residual((Relu(),)),)), "Residual"),
    ],
)
def test_the_fixed_gain_names_a_layer_without_one(network, name):
    with pytest.raises(InvalidArgumentError, match=name):
        _ = network.gain


@pytest.mark.parametrize("network", [vgg16(3, width=1, side=4), transformer(5, width=4, heads=1, hidden=3, length=2)])
def test_a_network_with_a_layer_without_a_bound_has_none(network):
    assert math.isnan(network.lipschitz(draw_weights(network, np.random.default_rng(0))))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_have_no_bound(value):
    network = convolutional((1, 2, 3), side=4)
    weights = draw_weights(network, np.random.default_rng(0))
    weights[0][0, 0, 0, 0] = value
    assert math.isnan(network.lipschitz(weights))


def test_zero_and_huge_weights_have_bounds():
    network = perceptron((2, 3, 4))
    assert network.lipschitz(tuple(np.zeros(s) for s in network.weight_shapes)) == 0
    assert network.lipschitz(tuple(np.full(s, 1e200) for s in network.weight_shapes)) == math.inf


def test_lipschitz_refuses_weights_of_other_shapes():
    with pytest.raises(InvalidArgumentError, match="weight_shapes"):
        perceptron((2, 3)).lipschitz((np.eye(2),))
