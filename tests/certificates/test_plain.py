"""Networks as bounds take them: checked, scaled exactly, without the units that can do nothing."""

import math

import numpy as np
import pytest

from normbench.certificates import certify, verify
from normbench.certificates.plain import plain
from normbench.certificates.product import product
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import LeakyRelu
from tests.certificates.networks import gaussian

pytestmark = pytest.mark.quick


def test_layers_are_scaled_by_powers_of_two_to_norms_about_one():
    weights = [w * s for w, s in zip(gaussian(0, 3, 5, 4, 2), (1e-30, 1.0, 1e30), strict=True)]
    network = plain(weights, output_scale=-3.0)
    for mine, weight, exponent in zip(network.weights, weights, network.exponents, strict=True):
        assert np.array_equal(mine * 2.0**exponent, weight)
        assert 0.4 < np.linalg.norm(mine, 2) < 1.1
    assert network.factor == 3 * 2 ** sum(network.exponents)


def test_idle_units_are_left_out_one_after_the_other():
    first, second, third = gaussian(1, 3, 4, 4, 2)
    first[0] = 0.0  # never moves
    third[:, 1] = 0.0  # never seen
    second[:, 2] = 0.0
    second[1, 3] = 1.0
    second[[0, 2, 3], 3] = 0.0  # seen by the unit alone that is never seen
    network = plain([first, second, third])
    assert [kept.tolist() for kept in network.kept] == [[False, True, False, False], [True, False, True, True]]
    assert [weight.shape for weight in network.weights] == [(1, 3), (3, 1), (2, 3)]


def test_maxmin_loses_a_pair_only_as_a_whole():
    first, second = gaussian(2, 3, 5, 2)
    first[0] = 0.0
    first[2:4] = 0.0
    second[:, 4] = 0.0  # an odd unit stands alone
    assert plain([first, second], "maxmin").kept[0].tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_a_dead_layer_makes_a_constant(dead):
    weights = gaussian(3, 3, 4, 4, 2)
    weights[dead][:] = 0.0
    assert plain(weights).is_constant
    assert not plain(gaussian(3, 3, 4, 4, 2)).is_constant


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([], "at least one layer"),
        ([np.ones(3)], r"weight 0 must have shape"),
        ([np.ones((2, 3)), np.ones((2, 3))], "weight 1 must have 2 columns"),
        ([np.ones((2, 0))], "both at least 1"),
        ([np.array([[math.nan]])], "not finite"),
        ([np.ones((1, 1)), np.array([[math.inf]])], "weight 1 has entries that are not finite"),
        ([np.ones((2, 2), complex)], "real numbers"),
        ([np.array([["1"]])], "real numbers"),
        (np.ones((2, 3)), "a list of arrays"),
        (None, "a list of arrays .*; got None"),
        ({"weight_0": np.ones((2, 3))}, "a list of arrays .*; got {'weight_0'"),
        ("weights.npz", "a list of arrays .*; got 'weights.npz'"),
        ([np.ma.masked_array(np.ones((2, 3)), True)], "weight 0 is a masked array.*filled"),
    ],
)
def test_what_is_no_network_is_refused(weights, words):
    with pytest.raises(InvalidArgumentError, match=words):
        plain(weights)


def test_any_iterable_of_weights_is_a_network():
    weights = gaussian(0, 3, 4, 2)
    for form in (iter(weights), tuple(weights), (W for W in weights)):
        assert all(map(np.array_equal, plain(form).given, weights))


@pytest.mark.parametrize("activation", ["gelu", None, LeakyRelu(1.5), LeakyRelu(-0.1)])
def test_an_activation_that_nothing_is_known_of_is_refused(activation):
    with pytest.raises(
        InvalidArgumentError, match=r"activation must be|slopes of LeakyRelu.* to be certified; they go from"
    ):
        plain([np.ones((1, 1))], activation)


@pytest.mark.parametrize("scale", [math.nan, math.inf, "2", None])
def test_a_scale_that_is_no_number_is_refused(scale):
    with pytest.raises(InvalidArgumentError, match="output_scale"):
        plain([np.ones((1, 1))], output_scale=scale)


def test_single_precision_is_taken_exactly():
    weights = [w.astype(np.float32) for w in gaussian(4, 3, 2)]
    assert np.array_equal(plain(weights).given[0], weights[0].astype(np.float64))


def test_what_is_no_array_is_one_error():
    torch = pytest.importorskip("torch")
    for weight in (torch.nn.Parameter(torch.eye(2)), torch.eye(2, dtype=torch.bfloat16), [[1.0, 2.0], [3.0]]):
        with pytest.raises(InvalidArgumentError, match=r"weight 1 cannot be read as an array: .*Of torch hand over"):
            plain([np.eye(2), weight])


def test_integers_that_float64_would_round_are_refused():
    plain([np.array([[2**53 - 1]])])
    for value in (2**53 + 1, -(2**60)):
        with pytest.raises(InvalidArgumentError, match=r"weight 0 has integers of 2\^53"):
            plain([np.array([[value]])])


def test_a_layer_keeps_the_numbers_that_its_scaling_would_take_the_last_digits_of():
    """Weights that a decay has made subnormal, as scikit-learn's have them, left nothing but the product of norms."""
    weights = [2 * weight for weight in gaussian(3, 6, 8, 8, 3)]
    for weight in weights:
        weight[0, ::2] = 3e-320
    network = plain(weights)
    assert network.exact
    found = certify(weights)
    assert found.bound < 0.9 * product(network).bound
    verify(weights, found.certificate)
