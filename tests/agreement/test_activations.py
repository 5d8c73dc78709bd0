"""Activations and initialisations: torch and JAX do what the reference does, and both keep what the papers assume."""

import numpy as np
import pytest

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.networks import Network, convolutional, perceptron
from normbench.networks.activations import ACTIVATIONS
from normbench.problems.initial_weights import INITIALISATIONS, usual
from normbench.problems.problem import Problem
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.reference.network import forward
from normbench.running.request import Asked
from normbench.specs import Normalisation
from tests.agreement.conftest import build

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

OPTIMISERS = ("method1", "method2", "agd")  # derivatives along a curve, gains, and the other scaling
ITERATIONS = 6
NETWORKS = {
    "perceptron": lambda activation: perceptron((6, 7, 5, 3), activation),
    "convolutional": lambda activation: convolutional((2, 5, 4, 3), side=4, activation=activation),
}
SCALINGS = {Normalisation.SPHERES: spectral_initialisation, Normalisation.PRESCRIPTION: dimensional_scaling}
# every activation and every initialisation with both families, once
PAIRS = [
    ("perceptron", "leaky_relu", "xavier_normal"),
    ("perceptron", "tanh", "orthogonal"),
    ("perceptron", "maxmin", "xavier"),
    ("convolutional", "relu", "delta_orthogonal"),
    ("convolutional", "leaky_relu", "orthogonal"),
    ("convolutional", "tanh", "xavier_normal"),
    ("convolutional", "maxmin", "xavier"),
]

# compiling takes six seconds each: method 1, which asks for more than a gradient, and one that asks for no more
IN_JAX = [
    ("method1", "perceptron", "leaky_relu", "xavier_normal"),
    ("method1", "convolutional", "maxmin", "xavier"),
    ("method2", "perceptron", "tanh", "orthogonal"),
]
RUNS = [
    *(("torch", key, *pair) for key in OPTIMISERS for pair in PAIRS),
    *(("jax", *run) for run in IN_JAX),
]


def problem_of(family: str, activation: str, initialisation: str, key: str = "method1", *, dead: bool = False):
    """With ``dead``, units whose incoming weights are zero: their outputs are at the kink, and pairs of them equal."""
    network = NETWORKS[family](ACTIVATIONS[activation])
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, *network.input_shape))
    flat = x.reshape(40, -1)
    y = np.stack([np.sin(flat[:, 0]), flat[:, 1] * flat[:, 2], np.abs(flat[:, 3])], axis=1)
    scale = SCALINGS[specs.get(key).normalisation]
    found: Problem = scale((x[:30], y[:30]), (x[30:], y[30:]), network, seed=3, initialisation=initialisation)
    if dead:
        for weight in found.weights[:-1]:
            weight[:2] = 0.0
    return found


@pytest.mark.parametrize(("framework", "key", "family", "activation", "initialisation"), RUNS)
def test_a_run_is_that_of_the_reference(framework, key, family, activation, initialisation):
    found, expected = (
        _trajectory(backend, problem_of(family, activation, initialisation, key, dead=True), key)
        for backend in (framework, "reference")
    )
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-10)
    np.testing.assert_allclose(found.step_size, expected.step_size, rtol=1e-10)
    for ours, theirs in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * np.linalg.norm(theirs))
    assert expected.loss[-1] < expected.loss[0]


def _trajectory(backend: str, problem: Problem, key: str):
    trainer = build(backend, problem, key, capacity=ITERATIONS)
    trainer.advance(ITERATIONS)
    return trainer.trajectory()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("family", NETWORKS)
def test_an_activation_is_zero_at_zero_and_keeps_distances_within_its_gain(family, activation):
    layer, rng = ACTIVATIONS[activation], np.random.default_rng(0)
    shape = {"perceptron": (7,), "convolutional": (5, 3, 4)}[family]
    network = Network(shape, (layer,))
    x, other = rng.normal(size=(2, 200, *shape))
    assert not forward(network, (), np.zeros((1, *shape))).any()
    moved = np.linalg.norm((forward(network, (), x) - forward(network, (), other)).reshape(200, -1), axis=1)
    assert (moved <= layer.gain * np.linalg.norm((x - other).reshape(200, -1), axis=1) * (1 + 1e-12)).all()
    if activation == "maxmin":  # a permutation, of an odd number of units as well
        np.testing.assert_array_equal(np.sort(forward(network, (), x), axis=1), np.sort(x, axis=1))


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
@pytest.mark.parametrize("normalisation", SCALINGS)
def test_weights_have_the_norms_of_their_normalisation(normalisation, initialisation):
    key = {Normalisation.SPHERES: "method1", Normalisation.PRESCRIPTION: "agd"}[normalisation]
    for weight in problem_of("convolutional", "relu", initialisation, key).weights:
        if normalisation is Normalisation.SPHERES:
            assert np.linalg.norm(weight) == pytest.approx(1.0, abs=1e-14)
        else:
            norms = np.linalg.norm(weight, 2, axis=(0, 1))
            assert np.linalg.norm(norms) == pytest.approx(np.sqrt(weight.shape[0] / weight.shape[1]), rel=1e-12)


@pytest.mark.parametrize("normalisation", SCALINGS)
def test_what_is_usual_has_one_identity_under_both_names(normalisation):
    optimiser = {Normalisation.SPHERES: "method1", Normalisation.PRESCRIPTION: "agd"}[normalisation]
    common = {"task": "digits", "layers": (64, 8, 10), "optimiser": optimiser, "backend": "torch", "seed": 0}
    assert Asked(**common, initialisation=usual(normalisation)).resolved() == Asked(**common).resolved()
    other = "xavier_normal"
    assert Asked(**common, initialisation=other).resolved().initialisation == other


@pytest.mark.parametrize(
    ("task", "layers", "given", "match"),
    [
        ("digits", (64, 8, 10), {"initialisation": "delta_orthogonal"}, "has none. Choose orthogonal"),
        ("digits", (64, 8, 10), {"activation": "sigmoid"}, "activation must be one of"),
        ("cifar10-resnet18", (3, 8, 10), {"activation": "tanh"}, "activation must be relu"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(task, layers, given, match):
    with pytest.raises(InvalidArgumentError, match=match):
        Asked(task=task, layers=layers, optimiser="adam", backend="torch", seed=0, **given).resolved()
