"""Both normalisations against the equations that define them, and the bounds that rest on them.

Algorithm 1 of arXiv 2312.10672; prescription 1, lemma 3 (output bound) and lemma 4 (deep relative trust) of
arXiv 2304.05187.
"""

import math

import numpy as np
import pytest

from normbench import specs
from normbench.data.dataset import Dataset
from normbench.errors import DataError, InvalidArgumentError
from normbench.networks import perceptron
from normbench.networks.families import check_layers
from normbench.problems import tasks
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.reference import network
from normbench.specs import Normalisation

pytestmark = pytest.mark.quick

EPS = np.finfo(np.float64).eps
NETWORKS = [(5, 3), (5, 7, 3), (5, 9, 2, 8, 3), (5, 1, 3), (5, 6, 6, 6, 6, 6, 3)]
SCALINGS = {"algorithm1": spectral_initialisation, "prescription1": dimensional_scaling}


def samples(seed, *, train=60, test=25, inputs=5, outputs=3):
    """Training and test pairs in physical units; the largest target of all is in the test set."""
    rng = np.random.default_rng([seed, 7])
    scale = np.exp(rng.normal(size=inputs))
    x = rng.normal(size=(train + test, inputs)) * scale
    y = 4.0 * np.tanh(rng.normal(size=(train + test, outputs)))
    y[-1] = 100.0
    return (x[:train], y[:train]), (x[train:], y[train:])


@pytest.fixture(params=NETWORKS, ids=str)
def layers(request):
    return request.param


@pytest.fixture(params=range(3), ids=lambda s: f"seed{s}")
def seed(request):
    return request.param


@pytest.fixture(params=SCALINGS)
def scaling(request):
    return SCALINGS[request.param]


def test_algorithm_1_scales_inputs_weights_and_targets(layers, seed):
    train, test = samples(seed)
    problem = spectral_initialisation(train, test, layers, seed=seed)

    for x in (problem.x_train, problem.x_test):
        assert np.abs(np.linalg.norm(x, axis=1) - 1).max() <= 1e-15
    assert [w.shape for w in problem.weights] == list(zip(layers[1:], layers[:-1], strict=True))
    assert np.allclose([np.linalg.norm(w) for w in problem.weights], 1.0, rtol=4 * EPS, atol=0)
    gain = math.prod(np.linalg.svd(w)[1][0] for w in problem.weights)
    assert np.linalg.norm(problem.y_train, axis=1).max() == pytest.approx(gain, rel=1e-14)
    assert problem.loss_divisor == 1.0


def test_prescription_1_scales_inputs_weights_and_targets(layers, seed):
    train, test = samples(seed)
    problem = dimensional_scaling(train, test, layers, seed=seed)

    for x in (problem.x_train, problem.x_test):
        assert np.linalg.norm(x, axis=1) == pytest.approx(math.sqrt(layers[0]), rel=4 * EPS)
    for w, fan_in, fan_out in zip(problem.weights, layers[:-1], layers[1:], strict=True):
        assert w.shape == (fan_out, fan_in)
        assert np.linalg.svd(w)[1] == pytest.approx(math.sqrt(fan_out / fan_in), rel=1e-13)
    assert np.linalg.norm(problem.y_train, axis=1).max() == pytest.approx(math.sqrt(layers[-1]), rel=1e-14)
    assert problem.loss_divisor == layers[-1]


def test_inputs_keep_their_direction_and_targets_their_ratios(scaling, seed):
    train, test = samples(seed)
    problem = scaling(train, test, (5, 7, 3), seed=seed)
    for x, raw in ((problem.x_train, train[0]), (problem.x_test, test[0])):
        cosine = (x * raw).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(raw, axis=1)
        assert cosine == pytest.approx(1.0, rel=1e-14)
    # one factor for all: the test targets are scaled by Ymax of the training set, though theirs is larger
    assert problem.y_train * problem.output_scale == pytest.approx(train[1], rel=1e-14)
    assert problem.y_test * problem.output_scale == pytest.approx(test[1], rel=1e-14)
    assert np.linalg.norm(problem.y_test, axis=1).max() > 5 * np.linalg.norm(problem.y_train, axis=1).max()


def test_the_test_set_changes_nothing_of_the_training_problem(scaling, seed):
    train, test = samples(seed)
    one = scaling(train, test, (5, 7, 3), seed=seed)
    other = scaling(train, (test[0][:2], 1e6 * test[1][:2]), (5, 7, 3), seed=seed)
    assert one.output_scale == other.output_scale
    assert np.array_equal(one.y_train, other.y_train)
    assert all(map(np.array_equal, one.weights, other.weights))


def test_rms_inverts_the_scaling(scaling, layers, seed):
    train, test = samples(seed)
    problem = scaling(train, test, layers, seed=seed)
    for x, y, physical in ((problem.x_train, problem.y_train, train[1]), (problem.x_test, problem.y_test, test[1])):
        loss = network.Objective.of(problem, x, y).loss(problem.weights)
        error = forward(problem.weights, x) * problem.output_scale - physical
        direct = math.sqrt((error**2).sum(axis=1).mean())
        assert problem.rms(loss) == pytest.approx(direct, rel=1e-13)
        assert problem.rms(1.01 * loss) != pytest.approx(direct, rel=1e-13)  # the check sees one per cent


@pytest.mark.parametrize("draw", range(40), ids=lambda s: f"seed{s}")
def test_lemmas_3_and_4_hold_for_any_weights(draw):
    rng = np.random.default_rng([draw, 3])
    widths = rng.integers(1, 9, size=rng.integers(2, 8))
    weights = tuple(rng.normal(size=s) * np.exp(rng.normal()) for s in zip(widths[1:], widths[:-1], strict=True))
    change = tuple(rng.normal(size=w.shape) * np.exp(rng.normal(-2, 2)) for w in weights)
    x = rng.normal(size=(50, widths[0]))

    sizes = np.linalg.norm(x, axis=1) * spectral_product(weights)
    assert (np.linalg.norm(forward(weights, x), axis=1) <= sizes * (1 + 1e-12)).all()
    moved = tuple(w + d for w, d in zip(weights, change, strict=True))
    difference = np.linalg.norm(forward(moved, x) - forward(weights, x), axis=1)
    trust = math.prod(1 + operator_norm(d) / operator_norm(w) for d, w in zip(change, weights, strict=True)) - 1
    assert (difference <= sizes * trust * (1 + 1e-12)).all()


@pytest.mark.parametrize("eta", [1e-3, 0.1, 1.0, 3.0])
def test_lemmas_3_and_4_under_prescription_1(layers, seed, eta):
    train, test = samples(seed)
    problem = dimensional_scaling(train, test, layers, seed=seed)
    rng = np.random.default_rng([seed, 4])
    depth, root = len(problem.weights), math.sqrt(layers[-1])
    change = [rng.normal(size=w.shape) for w in problem.weights]
    change = [d * (math.sqrt(d.shape[0] / d.shape[1]) * eta / depth / operator_norm(d)) for d in change]
    moved = tuple(w + d for w, d in zip(problem.weights, change, strict=True))

    before = forward(problem.weights, problem.x_train)
    assert np.linalg.norm(before, axis=1).max() <= root * (1 + 1e-12)
    difference = np.linalg.norm(forward(moved, problem.x_train) - before, axis=1).max()
    first = root * ((1 + eta / depth) ** depth - 1)
    assert difference <= first * (1 + 1e-9)
    assert first <= root * math.expm1(eta) * (1 + 1e-12)


def forward(weights, x):
    """Outputs of the perceptron with these weights."""
    return network.forward(perceptron((weights[0].shape[1], *map(len, weights))), weights, x)


def operator_norm(matrix):
    return np.linalg.norm(matrix, 2)


def spectral_product(weights):
    return math.prod(map(operator_norm, weights))


def test_lemma_4_is_attained_so_a_smaller_bound_would_be_caught():
    weights, change, x = (np.full((1, 1), 2.0),) * 3, (np.full((1, 1), 0.5),) * 3, np.ones((1, 1))
    moved = tuple(w + d for w, d in zip(weights, change, strict=True))
    difference = float(forward(moved, x)[0, 0] - forward(weights, x)[0, 0])
    assert difference == spectral_product(weights) * ((1 + 0.25) ** 3 - 1)


def slopes(problem, weights, left, right):
    """||f(u) - f(v)|| / ||u - v|| in physical units for unit inputs u, v."""
    outputs = [forward(weights, u * problem.input_norm) * problem.output_scale for u in (left, right)]
    return np.linalg.norm(outputs[0] - outputs[1], axis=1) / np.linalg.norm(left - right, axis=1)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_lipschitz_bound_is_never_exceeded(scaling, layers, seed):
    train, test = samples(seed)
    problem = scaling(train, test, layers, seed=seed)
    rng = np.random.default_rng([seed, 5])
    left = unit(rng.normal(size=(4000, layers[0])))
    near = unit(left + 10.0 ** rng.uniform(-4, 0, size=(4000, 1)) * rng.normal(size=left.shape))
    trained = tuple(w + 0.5 * rng.normal(size=w.shape) for w in problem.weights)
    for weights in (problem.weights, trained):
        for right in (near, left[::-1]):
            assert slopes(problem, weights, left, right).max() <= problem.lipschitz_bound(weights) * (1 + 1e-9)


def test_the_lipschitz_bound_is_attained_by_a_linear_network(scaling, seed):
    train, test = samples(seed)
    problem = scaling(train, test, (5, 3), seed=seed)
    steepest = np.linalg.svd(problem.weights[0])[2][:1]
    assert slopes(problem, problem.weights, steepest, -steepest) == pytest.approx(
        problem.lipschitz_bound(problem.weights), rel=1e-12
    )


def test_weights_that_are_not_finite_have_no_bound(scaling):
    problem = scaling(*samples(0), (5, 3), seed=0)
    for value in (np.nan, np.inf):
        assert math.isnan(problem.lipschitz_bound((np.full((3, 5), value),)))


def test_one_seed_gives_the_same_bits_and_another_gives_others(scaling, layers, seed):
    train, test = samples(seed)
    one, same, other = (scaling(train, test, layers, seed=s) for s in (seed, seed, seed + 1))
    assert all(map(np.array_equal, one.weights, same.weights))
    assert np.array_equal(one.y_train, same.y_train)
    assert not any(np.allclose(a, b) for a, b in zip(one.weights, other.weights, strict=True) if a.size > 1)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_sample_of_zero_norm_raises_with_its_row(scaling, part):
    train, test = samples(0)
    (train if part == "train" else test)[0][4] = 0.0
    with pytest.raises(DataError, match="input sample 4 has zero norm"):
        scaling(train, test, (5, 7, 3), seed=0)


def test_targets_that_are_all_zero_raise(scaling):
    train, test = samples(0)
    with pytest.raises(DataError, match="all training targets are zero"):
        scaling((train[0], np.zeros_like(train[1])), test, (5, 7, 3), seed=0)


@pytest.mark.parametrize("bad", [(), (5,), (5, 0, 3), (5, -1, 3)], ids=str)
def test_bad_layers_raise_with_their_value(scaling, bad):
    for call in (lambda: check_layers(bad), lambda: scaling(*samples(0), bad, seed=0)):
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        assert str(bad) in str(caught.value)


@pytest.fixture
def dataset():
    (x, y), _ = samples(0, train=50)
    names = tuple("abcde"), tuple("xyz")
    return Dataset("made-up", True, x, y, np.arange(50.0), np.zeros(50, dtype=np.int64), *names, "N")


@pytest.mark.parametrize("normalisation", Normalisation, ids=lambda n: n.name)
def test_a_task_scales_its_own_training_part(dataset, normalisation):
    layers = tasks.get("quadrotor-sim").layers(dataset, (4, 6))
    assert layers == (5, 4, 6, 3)
    options = specs.get("fgsgd").resolve({})
    problem = tasks.problem(dataset, layers, normalisation, split="random", seed=3, hyperparameters=options)
    assert (len(problem.x_train), len(problem.x_test)) == (40, 10)
    largest = np.linalg.norm(problem.y_train, axis=1).max() * problem.output_scale
    assert largest <= np.linalg.norm(dataset.outputs, axis=1).max() * (1 + 1e-14)
    prescribed = normalisation is Normalisation.PRESCRIPTION
    expected = math.sqrt(3) if prescribed else spectral_product(problem.weights)
    assert np.linalg.norm(problem.y_train, axis=1).max() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("layers", [(4, 6, 3), (5, 6, 2)], ids=str)
def test_layers_that_do_not_fit_the_data_raise(dataset, layers):
    with pytest.raises(InvalidArgumentError, match=r"does not fit data set .made-up.*shape \(5,\) and 3 outputs"):
        tasks.problem(dataset, layers, Normalisation.SPHERES, split="random", seed=0)


def test_layers_that_are_empty_raise(dataset):
    with pytest.raises(InvalidArgumentError, match="layers"):
        tasks.problem(dataset, (), Normalisation.SPHERES, split="random", seed=0)


def test_a_misspelt_task_gets_a_suggestion():
    with pytest.raises(InvalidArgumentError, match="Did you mean 'neural-fly'"):
        tasks.get("neural-flyy")
