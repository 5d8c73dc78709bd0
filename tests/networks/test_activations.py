"""What activations declare is true: slopes, kinks, gains, and values that are those of the reference."""

import numpy as np
import pytest

from normbench.networks import Network
from normbench.networks.activations import ACTIVATIONS, LeakyRelu, UnitByUnit, has_unit_slopes
from normbench.reference.network import forward

pytestmark = pytest.mark.quick

UNIT_BY_UNIT = {name: found for name, found in ACTIVATIONS.items() if isinstance(found, UnitByUnit)}
UNIT_BY_UNIT |= {"steep": LeakyRelu(1.5), "falling": LeakyRelu(-2.0)}
X = np.concatenate([np.linspace(-30, 30, 401), np.geomspace(1e-6, 1, 50), -np.geomspace(1e-6, 1, 50)])


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_it_is_zero_at_zero_and_stretches_nothing(activation):
    network = Network((8,), (activation,))
    assert not forward(network, (), np.zeros((1, 8))).any()
    x, y = np.random.default_rng(0).normal(size=(2, 500, 8)) * np.geomspace(1e-3, 10, 500)[:, None]
    moved = np.linalg.norm(forward(network, (), x) - forward(network, (), y), axis=1)
    assert (moved <= np.linalg.norm(x - y, axis=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize("activation", UNIT_BY_UNIT.values(), ids=UNIT_BY_UNIT)
def test_values_slopes_and_kinks_are_as_declared(activation):
    values, derivatives = activation.at(X)
    np.testing.assert_array_equal(values, forward(Network((len(X),), (activation,)), (), X[None])[0])
    gaps = np.subtract.outer(X, X)
    apart = gaps != 0
    slopes = np.subtract.outer(values, values)[apart] / gaps[apart]
    least, greatest = activation.slopes
    assert least - 1e-9 <= min(slopes.min(), derivatives.min())
    assert max(slopes.max(), derivatives.max()) <= greatest + 1e-9
    assert slopes.max() >= greatest - 1e-3
    assert slopes.min() <= least + 1e-3
    assert activation.gain == max(abs(least), abs(greatest))
    near = 1e-7
    numeric = (activation.at(X + near)[0] - activation.at(X - near)[0]) / (2 * near)
    smooth = abs(X) > 2 * near
    np.testing.assert_allclose(derivatives[smooth], numeric[smooth], atol=1e-6)
    left, right = (activation.at(np.array([side * near]))[0] / (side * near) for side in (-1, 1))
    assert (abs(left - right) > 1e-3).item() == activation.has_kink


def test_certificates_are_for_slopes_between_0_and_1():
    assert {name for name, found in ACTIVATIONS.items() if has_unit_slopes(found)} >= {"relu", "leaky_relu", "tanh"}
    assert not any(map(has_unit_slopes, (ACTIVATIONS["maxmin"], UNIT_BY_UNIT["steep"], UNIT_BY_UNIT["falling"])))
