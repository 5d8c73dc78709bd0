"""Parametrisations in NumPy: derivatives against differences, bounds against Jacobians, starts against the weights."""

import math

import numpy as np
import pytest

from normbench.networks import perceptron
from normbench.networks.activations import ACTIVATIONS
from normbench.networks.layers import Dense
from normbench.problems import initial_variables as starts
from normbench.problems.initial_variables import initial_variables
from normbench.reference import parametrisations
from normbench.reference.network import forward
from normbench.specs import Geometry
from normbench.specs.parametrisations import PARAMETRISATIONS
from tests.networks.examples import PLAIN, draw_weights

pytestmark = pytest.mark.quick

PAIRS = [(key, geometry) for key, declared in PARAMETRISATIONS.items() for geometry in declared.geometries]
SANDWICHES = [pair for pair in PAIRS if pair[0] == "sandwich"]
WIDTHS = {"narrow": (6, 9, 4, 5), "one-hidden": (3, 7, 2), "more-outputs-than-units": (4, 3, 8), "deep": (5,) * 6}
every_pair = pytest.mark.parametrize(("key", "geometry"), PAIRS)
every_sandwich = pytest.mark.parametrize(("key", "geometry"), SANDWICHES)
every_network = pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)


def chart(key, geometry, shapes):
    return parametrisations.chart(PARAMETRISATIONS[key], geometry, shapes)


def begin(key, geometry, weights):
    return initial_variables(PARAMETRISATIONS[key], geometry, weights)


def draw(key, geometry, network, rng, *, size=1.0):
    """A chart and random variables of it; those in a ball with a norm of 1, which is where training drives them."""
    found = chart(key, geometry, network.weight_shapes)
    start = begin(key, geometry, draw_weights(network, rng))
    drawn = tuple(size * rng.normal(size=v.shape) for v in start)
    if geometry is Geometry.STIEFEL:
        drawn = tuple(v / np.linalg.norm(v, 2) for v in drawn)
    if geometry is Geometry.SPHERE:
        drawn = tuple(v / np.linalg.norm(v) for v in drawn)
    return found, drawn


def norm(weight):
    return np.linalg.norm(weight.reshape(len(weight), -1), 2)


def test_every_declared_geometry_has_a_chart_and_a_start():
    assert set(parametrisations._CHARTS) == set(starts._STARTS) == set(PAIRS)


@every_pair
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_variables_that_are_not_finite_make_such_weights(key, geometry, number):
    """LAPACK refused those of spectral and bjorck: the run was said to have failed, where it had diverged."""
    import torch

    from normbench.torch.updates import parametrisations as in_torch

    network = perceptron((4, 5, 3))
    start = begin(key, geometry, draw_weights(network, np.random.default_rng(0)))
    for k in range(len(start)):
        moved = [v.copy() for v in start]
        moved[k].flat[0] = number
        with np.errstate(all="ignore"):
            found = chart(key, geometry, network.weight_shapes).weights(tuple(moved))
        made = in_torch.chart(PARAMETRISATIONS[key], geometry, network.weight_shapes).weights(
            list(map(torch.tensor, moved))
        )
        for weights in (found, made):
            assert not all(np.isfinite(np.asarray(w)).all() for w in weights)


@every_network
@every_pair
def test_the_pull_back_is_the_derivative(key, geometry, widths):
    network, rng = perceptron(widths), np.random.default_rng(1)
    found, variables = draw(key, geometry, network, rng)
    cotangent = draw_weights(network, rng)

    def value(t):
        moved = found.weights(tuple(v + t * d for v, d in zip(variables, direction, strict=True)))
        return sum(np.vdot(c, w) for c, w in zip(cotangent, moved, strict=True))

    gradient = found.pull_back(variables, cotangent)
    assert [g.shape for g in gradient] == [v.shape for v in variables]
    for one in range(len(variables)):  # each variable by itself: none hides behind another
        direction = tuple(rng.normal(size=v.shape) * (k == one) for k, v in enumerate(variables))
        difference = (value(1e-5) - value(-1e-5)) / 2e-5
        assert np.vdot(gradient[one], direction[one]) == pytest.approx(difference, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("key", "geometry"), [pair for pair in PAIRS if pair[0] not in ("free", "sandwich")])
@pytest.mark.parametrize("name", ["perceptron", "convolutional"])
def test_operator_norms_are_at_most_one_kernels_as_matrices(key, geometry, name):
    rng = np.random.default_rng(2)
    found, variables = draw(key, geometry, PLAIN[name], rng, size=30.0)
    weights = found.weights(variables)
    assert [w.shape for w in weights] == list(PLAIN[name].weight_shapes)
    assert max(map(norm, weights)) <= 1 + 1e-14
    again = found.pull_back(variables, weights)
    assert [g.shape for g in again] == [v.shape for v in variables]


def recursion(witness, x, sigma):
    """sqrt 2 A^T psi rho(sqrt 2 psi^-1 B h) layer by layer, as the paper has it."""
    h = x
    for A, B, psi in zip(witness["a"], witness["b"], witness["psi"], strict=False):
        h = math.sqrt(2) * (psi * sigma(math.sqrt(2) * (h @ B.T) / psi)) @ A
    return h @ witness["b"][-1].T


@every_network
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
@every_sandwich
def test_the_plain_network_of_a_sandwich_is_its_layers_one_after_the_other(key, geometry, activation, widths):
    network, rng = perceptron(widths, ACTIVATIONS[activation]), np.random.default_rng(3)
    found, variables = draw(key, geometry, network, rng)
    witness = found.witness(variables)
    sigma = {"relu": lambda s: np.maximum(s, 0), "leaky_relu": lambda s: np.where(s > 0, s, 0.01 * s), "tanh": np.tanh}
    x = rng.normal(size=(40, widths[0]))
    np.testing.assert_allclose(
        forward(network, found.weights(variables), x), recursion(witness, x, sigma[activation]), rtol=0, atol=1e-13
    )
    for A, B, out in zip(witness["a"], witness["b"], network.layers[::2], strict=False):
        assert isinstance(out, Dense)
        assert A.shape == (out.fan_out, out.fan_out)
        assert np.linalg.norm(np.hstack([A, B]), 2) <= 1 + 1e-14
    assert np.linalg.norm(witness["b"][-1], 2) <= 1 + 1e-14


def largest_slope(network, weights, rng):
    """The largest ||J||_op over many samples, for ReLUs."""
    largest = 0.0
    for x in rng.normal(size=(300, weights[0].shape[1])):
        jacobian, h = np.eye(len(x)), x
        for W in weights[:-1]:
            on = (W @ h > 0)[:, None]
            jacobian, h = on * (W @ jacobian), np.maximum(W @ h, 0)
        largest = max(largest, np.linalg.norm(weights[-1] @ jacobian, 2))
    return largest


@every_network
@every_sandwich
def test_no_jacobian_of_a_sandwich_exceeds_one_though_the_product_of_its_norms_does(key, geometry, widths):
    network, rng = perceptron(widths), np.random.default_rng(4)
    found, variables = draw(key, geometry, network, rng)
    weights = found.weights(variables)
    assert 0.02 < largest_slope(network, weights, rng) <= 1 + 1e-13


def test_a_sandwich_of_full_slope_uses_its_bound():
    """A = B = I / sqrt 2 in every layer is the identity where all units are on."""
    found = chart("sandwich", Geometry.STIEFEL, perceptron((3, 3, 3)).weight_shapes)
    whole = np.hstack([np.eye(3), np.eye(3)]) / math.sqrt(2)
    network, rng = perceptron((3, 3, 3)), np.random.default_rng(0)
    for size in (1.0, 1.01):  # and a factor outside the ball exceeds it
        weights = found.weights((size * whole,))
        assert largest_slope(network, weights, rng) == pytest.approx(size**2, rel=1e-14)


def normalised(network, rng, size):
    return tuple(size * w / norm(w) for w in draw_weights(network, rng))


@every_network
@pytest.mark.parametrize("size", [1.0, 0.7])
@pytest.mark.parametrize("pair", [("ball", Geometry.STIEFEL), ("sandwich", Geometry.STIEFEL)], ids=lambda pair: pair[0])
def test_the_start_in_a_ball_is_the_function_of_the_weights(pair, size, widths):
    network, rng = perceptron(widths), np.random.default_rng(5)
    weights, x = normalised(network, rng, size), rng.normal(size=(20, widths[0]))
    found = chart(*pair, network.weight_shapes)
    variables = begin(*pair, weights)
    assert max(np.linalg.norm(v, 2) for v in variables) <= 1 + 1e-14
    np.testing.assert_allclose(
        forward(network, found.weights(variables), x), forward(network, weights, x), rtol=0, atol=1e-14
    )


@every_network
@every_pair
def test_the_start_points_the_way_of_the_weights_and_keeps_to_the_bound(key, geometry, widths):
    network, rng = perceptron(widths), np.random.default_rng(6)
    weights, x = draw_weights(network, rng), rng.normal(size=(20, widths[0]))
    found = chart(key, geometry, network.weight_shapes)
    outputs = forward(network, found.weights(begin(key, geometry, weights)), x)
    wanted = forward(network, weights, x)
    scale = np.vdot(outputs, wanted) / np.vdot(outputs, outputs)
    assert scale > 0
    np.testing.assert_allclose(scale * outputs, wanted, rtol=1e-9, atol=1e-12)


@every_pair
def test_a_layer_of_zeros_starts_as_one_but_for_the_norms_that_it_does_not_have(key, geometry):
    network = perceptron((4, 5, 3))
    weights = (np.zeros((5, 4)), *draw_weights(network, np.random.default_rng(0))[1:])
    found = chart(key, geometry, network.weight_shapes)
    with np.errstate(invalid="ignore"):
        plain = found.weights(begin(key, geometry, weights))
    if key in ("spectral", "bjorck"):
        assert np.isnan(plain[0]).all()
    else:
        assert all(np.isfinite(w).all() for w in plain)
        assert not forward(network, plain, np.ones((1, 4))).any()


@every_network
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[1] is Geometry.STIEFEL], ids=lambda pair: pair[0])
def test_the_series_of_a_curve_is_that_of_its_weights(pair, widths):
    network, rng = perceptron(widths), np.random.default_rng(7)
    found, variables = draw(*pair, network, rng)
    curve = [[v, *(rng.normal(size=v.shape) for _ in range(2)), *[np.zeros_like(v)] * 2] for v in variables]
    series = found.series(curve)
    for t in (0.3, -1.1):  # polynomials of degree 2 at most in each factor, so of degree 4
        weights = found.weights(tuple(sum(c * t**k for k, c in enumerate(own)) for own in curve))
        for W, coefficients in zip(weights, series, strict=True):
            np.testing.assert_allclose(sum(c * t**k for k, c in enumerate(coefficients)), W, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[1] is not Geometry.FREE], ids=lambda pair: pair[0])
def test_variables_that_rounding_carried_outside_are_clipped_and_others_keep_their_bits(pair):
    network, rng = PLAIN["perceptron"], np.random.default_rng(8)
    found, variables = draw(*pair, network, rng)
    inside = tuple((0.5 * v).astype(np.float32).astype(np.float64) for v in variables)
    assert all(np.array_equal(a, b) for a, b in zip(found.clipped(inside), inside, strict=True))
    clipped = found.clipped(tuple((1 + 6e-7) * v / np.linalg.norm(v, 2) for v in variables))
    assert all(1 - 1e-12 < np.linalg.norm(v, 2) <= 1 for v in clipped)
