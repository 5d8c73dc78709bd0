"""The largest gain that is found lies below every bound, and is no smaller than those between pairs of points."""

from itertools import pairwise

import numpy as np
import pytest

from normbench.certificates import certify, largest_gain
from normbench.networks import perceptron
from normbench.networks.activations import ACTIVATIONS
from normbench.reference.network import forward

pytestmark = pytest.mark.quick

LAYERS = (5, 7, 6, 3)


def drawn(seed, layers=LAYERS):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rows, columns)) for columns, rows in pairwise(layers)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("seed", "layers"), [*((seed, LAYERS) for seed in range(3)), (3, (5, 1, 1, 3)), (4, (3, 7, 6, 5))]
)
def test_it_lies_below_every_bound_and_above_what_pairs_of_points_show(activation, seed, layers):
    weights, network = drawn(seed, layers), perceptron(layers, ACTIVATIONS[activation])
    found = largest_gain(weights, activation=activation, output_scale=-2.0)
    assert found <= certify(weights, activation=activation, output_scale=2.0).bound
    x = np.random.default_rng(9).normal(size=(2000, layers[0]))
    near = x + 1e-6 * np.random.default_rng(8).normal(size=x.shape)
    gaps = [
        np.linalg.norm(a - b, axis=1)
        for a, b in ((forward(network, weights, x), forward(network, weights, near)), (x, near))
    ]
    assert 2 * (gaps[0] / gaps[1]).max() <= found * (1 + 1e-6)


def test_of_one_layer_it_is_the_norm_and_of_a_network_that_does_nothing_zero():
    (weight,) = drawn(0, (4, 3))
    assert largest_gain([weight]) == pytest.approx(np.linalg.norm(weight, 2))
    assert largest_gain([weight, np.zeros((2, 3))]) == 0.0


def test_biases_move_the_kinks_and_not_the_bound():
    weights = [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])]
    assert largest_gain(weights) == 0.0  # both units switch at zero
    assert largest_gain(weights, biases=[np.array([0.0, -0.5]), np.zeros(1)]) == pytest.approx(1.0)
