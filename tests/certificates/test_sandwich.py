"""The factors of sandwich layers prove the gain, up to rounding, and LipSDP agrees."""

import numpy as np
import pytest

from normbench.certificates import certify, verify
from normbench.certificates.plain import plain
from normbench.certificates.product import product
from normbench.certificates.sandwich import sandwich
from tests.certificates.networks import largest_gain
from tests.certificates.sandwiches import sandwich_weights

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("widths", [(3, 2), (1, 1, 1), (5, 7, 2), (12, 25, 30, 15, 3), (2, 9, 1, 9, 4)])
@pytest.mark.parametrize("gain", [1.0, 20.0, 1e-30, 1e30])
def test_the_gain_is_proven(widths, gain):
    weights, factors = sandwich_weights(len(widths), *widths, gain=gain)
    certificate = sandwich(plain(weights), **factors)
    verify(weights, certificate)
    assert gain <= certificate.bound < gain * (1 + 1e-8)
    assert largest_gain(weights, 0) <= gain * (1 + 1e-9)
    if gain == 20.0:
        assert certify(weights).bound <= certificate.bound * (1 + 1e-5)


def test_the_product_knows_less():
    weights, factors = sandwich_weights(0, 12, 25, 30, 15, 3, gain=20.0)
    assert product(plain(weights)).bound > 2 * sandwich(plain(weights), **factors).bound


def test_factors_beyond_the_unit_ball_cost_their_norm_twice():
    weights, factors = sandwich_weights(1, 4, 6, 3)
    weights = [1.1 * weights[0], 1.1 * weights[1]]
    wide = factors | {"a": [1.1 * factors["a"][0]], "b": [1.1 * factors["b"][0], factors["b"][1]]}
    assert sandwich(plain(weights), **wide).bound == pytest.approx(1.21, rel=1e-8)


def test_single_precision_weights_are_certified_as_they_are():
    weights, factors = sandwich_weights(2, 12, 25, 30, 15, 3, gain=20.0)
    rounded = [weight.astype(np.float32) for weight in weights]
    certificate = sandwich(plain(rounded), **factors)
    verify(rounded, certificate)
    assert 20.0 < certificate.bound < 20.0 * (1 + 1e-4)
