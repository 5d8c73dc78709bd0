"""Lipschitz certificates of convolutional networks, and errors of classes by hand."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from normbench.networks import Loss, Network, convolutional, perceptron, preactivation_resnet18
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, LayerNorm, MaxPool, Scale
from normbench.problems import tasks
from normbench.problems.problem import Problem
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.running.certificate import _directions, _jacobians, largest_gain
from normbench.specs import Normalisation

CLASSES = 4


def images(side: int, channels: int, samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    x = rng.uniform(0.05, 1.0, size=(samples, channels, side, side))
    return x, np.eye(CLASSES)[rng.integers(CLASSES, size=samples)]


def problem_of(network: Network, loss: Loss = Loss.CROSS_ENTROPY, scaling=spectral_initialisation) -> Problem:
    channels, side, _ = network.input_shape
    part = images(side, channels)
    return scaling(part, part, network, seed=0, loss=loss, classes=CLASSES)


STRIDED = Network(
    (2, 7, 7), (Convolution(2, 3, 3, 2, 0), Scale(0.7), Convolution(3, 5, 2, 1, 1), Flatten(), Dense(80, CLASSES))
)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("scaling", [spectral_initialisation, dimensional_scaling])
@pytest.mark.parametrize("network", [convolutional((2, 3, 5, CLASSES), side=4), STRIDED], ids=["pooled", "strided"])
def test_no_measured_gain_of_a_kernel_exceeds_the_bound(network: Network, scaling, loss: Loss) -> None:
    problem = problem_of(network, loss, scaling)
    rng = np.random.default_rng(6)
    for _ in range(5):
        weights = tuple(rng.normal(size=w.shape) * rng.uniform(0.1, 2.0) for w in problem.weights)
        measured, bound = largest_gain(problem, weights), problem.lipschitz_bound(weights)
        assert 0.02 * bound < measured <= bound


def test_the_bound_of_a_patch_per_pixel_is_found_to_rounding() -> None:
    """Kernels of size 1, the same at every pixel, that do not bend on images >= 0, and one layer that adds up."""
    rng = np.random.default_rng(1)
    into, out, last = (np.abs(rng.normal(size=n)) for n in (2, 3, CLASSES))
    network = Network((2, 4, 4), (Convolution(2, 3, 1, 1, 0), AveragePool(4), Flatten(), Dense(3, CLASSES)))
    weights = np.outer(out, into)[:, :, None, None], np.outer(last, out)
    problem = replace(problem_of(network), weights=weights)
    assert largest_gain(problem, weights) == pytest.approx(problem.lipschitz_bound(weights), rel=1e-6)


def test_a_blurring_kernel_comes_near_its_bound() -> None:
    """The steepest direction of a kernel >= 0 is the even image: only its border keeps it below the torus's."""
    network = Network((1, 12, 12), (Convolution(1, 1), Flatten(), Dense(144, CLASSES)))
    even = np.zeros((CLASSES, 144))
    even[0] = 1 / 12
    weights = np.full((1, 1, 3, 3), 1 / 9), even
    problem = replace(problem_of(network), weights=weights)
    assert 0.9 < largest_gain(problem, weights) / problem.lipschitz_bound(weights) <= 1


@pytest.mark.parametrize(
    "network",
    [
        preactivation_resnet18(CLASSES, width=2, side=8),
        Network((3, 2, 2), (Flatten(), Dense(12, CLASSES), LayerNorm(), Dense(CLASSES, CLASSES))),
    ],
    ids=["batch norm", "layer norm"],
)
def test_networks_without_a_bound_have_no_certificate_and_plain_logits(network: Network) -> None:
    problem = problem_of(network)
    assert math.isnan(problem.lipschitz_bound(problem.weights))
    assert math.isnan(largest_gain(problem, problem.weights))
    assert math.isnan(problem.majorant_scale)
    assert problem.network.layers[-1] == Scale(math.sqrt(CLASSES))  # the product counts as 1


def test_a_bound_that_the_reference_cannot_measure_against_stands_alone() -> None:
    problem = problem_of(Network((2, 4, 4), (MaxPool(2), Flatten(), Dense(8, CLASSES))))
    assert problem.lipschitz_bound(problem.weights) > 0
    assert math.isnan(largest_gain(problem, problem.weights))


def test_jacobians_are_those_of_differences() -> None:
    rng = np.random.default_rng(3)
    weights = tuple(rng.normal(size=s) for s in ((7, 5), (4, 7), (3, 4)))
    x, step = rng.normal(size=(6, 5)), 1e-7

    def outputs(x: np.ndarray) -> np.ndarray:
        return np.maximum(np.maximum(x @ weights[0].T, 0) @ weights[1].T, 0) @ weights[2].T

    moved = np.stack([(outputs(x + step * e) - outputs(x - step * e)) / (2 * step) for e in np.eye(5)], axis=-1)
    np.testing.assert_allclose(_jacobians(weights, x), moved, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(_jacobians(weights[:1], x), np.broadcast_to(weights[0], (6, 7, 5)))


def test_directions_are_top_right_singular_vectors_or_zero() -> None:
    jacobians = np.random.default_rng(4).normal(size=(5, 3, 9)) * 1e200  # whose squares overflow
    jacobians[1] = 0.0
    jacobians[2, 0, 0] = np.inf
    found = _directions(jacobians)
    np.testing.assert_array_equal(found[[1, 2]], 0.0)
    for k in (0, 3, 4):
        assert abs(found[k] @ np.linalg.svd(jacobians[k] / 1e200)[2][0]) == pytest.approx(1.0, rel=1e-12)


def test_a_certificate_of_thousands_of_inputs_fits_into_memory() -> None:
    """A colour image has 3,072: matrices of that size at each of 512 samples would take 38 GB."""
    rng = np.random.default_rng(0)
    part = rng.normal(size=(40, 3072)), np.eye(10)[rng.integers(10, size=40)]
    problem = spectral_initialisation(part, part, perceptron((3072, 16, 10)), seed=0, classes=10)
    tracemalloc.start()
    assert 0 < largest_gain(problem, problem.weights) <= problem.lipschitz_bound(problem.weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e9


def test_errors_of_the_square_loss_are_those_of_the_outputs() -> None:
    """Outputs are in normalised units: scale 2 here. Two of three samples are right."""
    problem = replace(problem_of(STRIDED, Loss.SQUARE), output_scale=2.0)
    outputs = np.array([[0.5, 0, 0, 0], [0, 0, 0.25, 0], [0, 0.5, 0.75, 0]])
    targets = np.eye(CLASSES)[[0, 2, 1]] / 2
    rms, accuracy = problem.errors([outputs], targets)
    # predictions e_0, e_2 / 2 and e_1 + 3 e_2 / 2 of e_0, e_2 and e_1
    assert rms == pytest.approx(math.sqrt((0 + 0.25 + 2.25) / 3))
    assert accuracy == pytest.approx(2 / 3)
    assert math.isnan(replace(problem, classes=0).errors([outputs], targets)[1])


def test_errors_of_cross_entropy_are_brier_scores_of_the_probabilities() -> None:
    problem = problem_of(STRIDED)
    outputs = np.log([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]]) + np.array([[5.0], [-3.0]])  # shifts are no matter
    rms, accuracy = problem.errors([outputs], np.eye(CLASSES)[[0, 1]])
    assert rms == pytest.approx(math.sqrt((0.09 + 3 * 0.01 + 0.16 + 0.49 + 0.04 + 0.01) / 2))
    assert accuracy == 0.5
    assert math.isnan(problem.rms(0.3))


def test_integers_are_classes_of_every_token() -> None:
    problem = problem_of(STRIDED)
    rng = np.random.default_rng(0)
    outputs, tokens = rng.normal(size=(3, 5, CLASSES)), rng.integers(CLASSES, size=(3, 5))
    flat = problem.errors([outputs.reshape(15, CLASSES)], np.eye(CLASSES)[tokens.ravel()])
    assert problem.errors([outputs], tokens) == pytest.approx(flat)


def test_outputs_that_overflow_are_a_wrong_answer_and_no_warning() -> None:
    problem = problem_of(STRIDED, Loss.SQUARE)
    rms, accuracy = problem.errors([np.full((2, CLASSES), 1e300)], problem.y_train[:2])
    assert math.isinf(rms)
    assert 0 <= accuracy <= 1
    assert math.isnan(problem_of(STRIDED).errors([np.full((2, CLASSES), np.nan)], problem.y_train[:2])[0])


@pytest.mark.parametrize("key", ["digits-conv", "digits-conv-xent"])
def test_the_digits_start_with_a_certificate(key: str) -> None:
    task = tasks.get(key)
    dataset = task.dataset().take(np.arange(0, 1797, 40))
    network = task.network(dataset, task.layers(dataset))
    problem = tasks.problem(dataset, network, Normalisation.SPHERES, split="random", seed=0, loss=task.loss)
    assert 0 < largest_gain(problem, problem.weights) <= problem.lipschitz_bound(problem.weights)
    if task.loss is Loss.CROSS_ENTROPY:  # logits are scaled to a norm of at most sqrt(classes)
        assert problem.lipschitz_bound(problem.weights) == pytest.approx(math.sqrt(10))
