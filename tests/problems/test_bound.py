"""Scaling at a Lipschitz bound: units in which a network of gain 1 has it, and a start within the targets."""

import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, Network, perceptron
from normbench.networks.layers import Dense, LayerNorm
from normbench.problems.bound import ROUNDING_SLACK, at_bound, scaled_outputs
from normbench.problems.scaling import unit_parts
from normbench.reference.network import forward
from normbench.reference.start import within_targets
from tests.networks.examples import PLAIN, draw_inputs

pytestmark = pytest.mark.quick

L = 20.0


def scaled(network, *, lipschitz=L, loss=Loss.SQUARE, size=6.0):
    rng = np.random.default_rng(0)
    y = size * rng.normal(size=(40, *network.output_shape))
    part = (draw_inputs(network, rng, samples=40), y)
    return part, at_bound(*unit_parts(part, part), network, lipschitz=lipschitz, seed=0, loss=loss)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", ["perceptron", "convolutional"])
def test_the_start_has_the_bound_and_weights_beyond_one_by_rounding_do_not_exceed_it(name, loss):
    _, problem = scaled(PLAIN[name], loss=loss)
    certified = problem.network.gain * np.prod([np.linalg.norm(w.reshape(len(w), -1), 2) for w in problem.weights])
    certified *= problem.output_scale * problem.input_norm
    assert L * (1 - 1e-5) < certified < L
    assert certified * (1 + 6e-7) ** len(problem.weights) < L
    assert problem.lipschitz_bound(problem.weights) <= certified * (1 + 1e-12)
    assert ROUNDING_SLACK * len(problem.weights) < 1e-5  # costs no accuracy that anyone would see


def test_errors_are_in_physical_units_and_samples_have_norm_one():
    (x, y), problem = scaled(PLAIN["perceptron"])
    np.testing.assert_allclose(problem.x_train, x / np.linalg.norm(x, axis=1, keepdims=True))
    outputs = forward(problem.network, problem.weights, problem.x_train)
    physical = np.sqrt(np.mean(np.sum((problem.output_scale * outputs - y) ** 2, axis=1)))
    assert problem.errors([outputs], problem.y_train)[0] == pytest.approx(physical, rel=1e-12)
    assert np.abs(problem.output_scale * problem.y_train - y).max() < 1e-12


def test_inputs_that_someone_else_maps_stay_as_they_are():
    (x, y), unit = scaled(PLAIN["perceptron"])
    given = at_bound((x, y), (x[:1], y[:1]), unit.network, lipschitz=L, seed=0)
    np.testing.assert_array_equal(given.x_train, x)
    np.testing.assert_array_equal(given.y_train, unit.y_train)
    assert given.lipschitz_bound(given.weights) == unit.lipschitz_bound(unit.weights)


@pytest.mark.parametrize("loss", Loss)
def test_scaled_outputs_are_as_many_times_as_steep_and_the_targets_stay_what_they_are(loss):
    _, problem = scaled(PLAIN["perceptron"], loss=loss)
    steeper = scaled_outputs(problem, 3.0)
    assert steeper.lipschitz_bound(problem.weights) == pytest.approx(3 * problem.lipschitz_bound(problem.weights))
    before, after = (
        p.output_scale * forward(p.network, p.weights, p.x_train)
        if loss is Loss.SQUARE
        else forward(p.network, p.weights, p.x_train)
        for p in (problem, steeper)
    )
    np.testing.assert_allclose(after, 3 * before, rtol=1e-12)
    for part in ("y_train", "y_test"):
        asked, found = (p.output_scale * getattr(p, part) for p in (problem, steeper))
        np.testing.assert_allclose(found, asked, rtol=1e-12)


@pytest.mark.parametrize("lipschitz", [0.0, -1.0, np.inf, np.nan, True, "20"], ids=repr)
def test_a_bound_that_is_none_is_refused(lipschitz):
    with pytest.raises(InvalidArgumentError, match="lipschitz must be positive and finite"):
        scaled(PLAIN["perceptron"], lipschitz=lipschitz)


def test_a_layer_without_a_gain_is_refused():
    with pytest.raises(InvalidArgumentError, match="no fixed gain"):
        scaled(Network((4,), (Dense(4, 3), LayerNorm(), Dense(3, 2))))


@pytest.mark.parametrize("size", [0.01, 1e4])
def test_outputs_larger_than_the_targets_are_scaled_down_to_them_and_others_stay(size):
    _, problem = scaled(PLAIN["perceptron"], size=size)
    start = within_targets(problem)
    before, after = (forward(p.network, p.weights, p.x_train) for p in (problem, start))
    wanted, had = np.linalg.norm(problem.y_train), np.linalg.norm(before)
    assert np.linalg.norm(after) == pytest.approx(min(wanted, had), rel=1e-12)
    assert (wanted < had) == (size == 0.01)
    norms = [np.linalg.norm(w, 2) for w in start.weights]
    assert norms == pytest.approx([min(1.0, wanted / had) ** (1 / 3)] * 3, rel=1e-12)


def test_logits_stay_as_they_are():
    _, problem = scaled(perceptron((4, 5, 3)), loss=Loss.CROSS_ENTROPY)
    assert within_targets(problem) is problem
