"""The small GAN: both backends play the same game, step by step that of plain NumPy, and its judge knows Gaussians."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.networks.activations import Tanh
from normbench.networks.base import with_weights
from normbench.networks.layers import BatchNorm
from normbench.papers.fromage import gan
from normbench.papers.fromage.frechet import Judge, Moments, frechet_distance, moments
from normbench.reference import network as reference
from tests.oracle import reference_step

TINY = gan.Size(steps=20, every=10, batch=8, noise=4, width=3)
OPTIMISERS = {"fromage": 0.01, "lars": 0.01, "adam": 1e-3}


def hyperparameters(key, learning_rate):
    return dict(specs.get(key).resolve({"learning_rate": learning_rate}))


def play(backend, key, learning_rate, start, drawn, *, decay=1.0):
    """Both players after all draws, the learning rate being multiplied by ``decay`` after each piece of them."""
    both = gan.players(backend, start, key, hyperparameters(key, learning_rate), dtype="float64")
    for rows, noise in drawn:
        both.advance(rows, noise)
        both.scale_learning_rate(decay)
    return both


@pytest.fixture(scope="module")
def start():
    return gan.game(TINY, seed=3)


@pytest.mark.parametrize("key", ["fromage", "adam"])  # an update of ours and one of the libraries
def test_both_backends_have_the_same_weights_after_twenty_steps_with_a_decay_halfway(key, start):
    drawn = list(gan.draws(len(start.images), TINY, seed=3))
    found = [play(backend, key, OPTIMISERS[key], start, drawn, decay=0.1).weights() for backend in gan.backends()]
    ours, theirs = (generator + discriminator for generator, discriminator in found)
    first = start.weights[0] + start.weights[1]
    for one, other, before in zip(ours, theirs, first, strict=True):
        assert np.abs(one - before).max() > 1e-6
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def forward(network, weights, x):
    """Outputs by the reference, which has neither batch norm nor tanh."""
    for layer, own in with_weights(network.layers, weights):
        match layer:
            case BatchNorm(epsilon):
                centre, spread = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
                x = (x - centre) / np.sqrt(spread + epsilon)
            case Tanh():
                x = np.tanh(x)
            case _:
                x = reference.forward(Network(x.shape[1:], (layer,)), own, x)
    return x


class PlainGame:
    """Losses of both players for one batch, written down as they are."""

    def __init__(self, start, rows, noise):
        self.networks = start.networks
        self.real, self.classes = start.images[rows], start.classes[rows]
        self.noise = noise

    def judged(self, discriminator, images):
        planes = np.tile(self.classes[:, :, None, None], (1, 1, *images.shape[2:]))
        return forward(self.networks[1], discriminator, np.concatenate([images, planes], axis=1))

    def fakes(self, generator, which):
        return forward(self.networks[0], generator, np.concatenate([self.noise[which], self.classes], axis=1))

    def discriminator_loss(self, generator, discriminator):
        real, fake = self.judged(discriminator, self.real), self.judged(discriminator, self.fakes(generator, 0))
        return np.maximum(1 - real, 0).mean() + np.maximum(1 + fake, 0).mean()

    def generator_loss(self, generator, discriminator):
        return -self.judged(discriminator, self.fakes(generator, 1)).mean()


def assert_gradient(gradient, loss, weights, *, seed):
    """Central differences of the loss in twelve entries of every weight."""
    rng, step = np.random.default_rng(seed), 1e-5
    for k, weight in enumerate(weights):
        for place in rng.choice(weight.size, size=min(12, weight.size), replace=False):
            at = np.unravel_index(place, weight.shape)
            values = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[k][at] += sign * step
                values.append(loss(tuple(moved)))
            assert gradient[k][at] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-8), (k, at)


@pytest.mark.parametrize("backend", gan.backends())
def test_the_first_step_is_the_gradient_of_the_plain_losses_discriminator_first(backend, start):
    size = dataclasses.replace(TINY, steps=1, every=1)
    ((rows, noise),) = gan.draws(len(start.images), size, seed=0)
    both = play(backend, "sgd", 1.0, start, [(rows, noise)])  # SGD at 1: W' = W - gradient
    (generator, discriminator), (_, moved) = start.weights, both.weights()
    plain = PlainGame(start, rows[0], noise[0])
    gradients = [
        tuple(w - new for w, new in zip(own, after, strict=True))
        for own, after in zip(start.weights, both.weights(), strict=True)
    ]
    assert_gradient(gradients[1], lambda w: plain.discriminator_loss(generator, w), discriminator, seed=0)
    assert_gradient(gradients[0], lambda w: plain.generator_loss(w, moved), generator, seed=1)


@pytest.mark.parametrize("key", ["fromage", "lars", "adam"])
def test_the_discriminators_first_step_is_the_references_update_of_that_gradient(key, start):
    size = dataclasses.replace(TINY, steps=1, every=1)
    drawn = list(gan.draws(len(start.images), size, seed=0))
    before, after = start.weights[1], play("torch", "sgd", 1.0, start, drawn).weights()[1]
    gradient = tuple(w - new for w, new in zip(before, after, strict=True))

    expected, _ = reference_step(key, gradient, before, **hyperparameters(key, OPTIMISERS[key]))
    found = play("torch", key, OPTIMISERS[key], start, drawn).weights()[1]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_the_halves_are_apart_and_draws_follow_the_seed():
    start = gan.game(TINY, seed=0)
    assert len(start.images) + len(start.held_out) == 1797
    assert start.images.min() == -1
    assert start.images.max() == 1
    rows, noise = next(gan.draws(len(start.images), TINY, seed=0))
    assert rows.shape == (10, 8)
    assert noise.shape == (10, 2, 8, 4)
    again, other = (next(gan.draws(len(start.images), TINY, seed=seed))[1] for seed in (0, 1))
    np.testing.assert_array_equal(noise, again)
    assert not np.array_equal(noise, other)
    assert not np.array_equal(start.weights[0][0], gan.game(TINY, seed=1).weights[0][0])


def test_steps_that_do_not_fit_and_an_unknown_backend_are_refused(start):
    with pytest.raises(InvalidArgumentError, match="every=10"):
        next(gan.draws(100, dataclasses.replace(TINY, steps=25), seed=0))
    with pytest.raises(InvalidArgumentError, match="reference"):
        gan.players("reference", start, "sgd", hyperparameters("sgd", 0.1), dtype="float64")


def test_a_job_of_either_backend_sees_the_same_game():
    ours, theirs = (gan.GanJob(backend, "fromage", 0.01, 0, TINY)() for backend in gan.backends())
    assert [row["step"] for row in ours] == [0, 10, 20]
    for one, other in zip(ours, theirs, strict=True):
        assert one["distance"] == pytest.approx(other["distance"], rel=1e-3)  # float32 over twenty steps
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=0.01)
    assert ours[-1]["distance"] < ours[0]["distance"]


def test_a_distance_that_stays_decays_the_learning_rate_from_halfway_on():
    wait = gan.PATIENCE + 1
    size = dataclasses.replace(TINY, steps=2 * wait + 1, every=1)  # one plateau before halfway, one after
    rows = gan.GanJob("torch", "fromage", 0.0, 0, size)()
    assert [row["decays"] for row in rows] == [0] * (2 * wait + 1) + [1]


def test_a_game_that_breaks_down_ends_with_nan():
    rows = gan.GanJob("torch", "sgd", 1e9, 0, dataclasses.replace(TINY, steps=200))()
    assert math.isnan(rows[-1]["distance"])
    assert math.isnan(rows[-1]["accuracy"])
    assert all(math.isfinite(row["distance"]) for row in rows[:-1])
    assert len(rows) < 21


def covariance(rng, size=5):
    root = rng.normal(size=(size, size))
    return root @ root.T


def test_the_distance_of_gaussians_on_a_line_is_that_of_their_means_and_deviations():
    a, b = (Moments(np.array([m]), np.array([[s**2]])) for m, s in ((1.0, 2.0), (-2.0, 0.5)))
    assert frechet_distance(a, b) == pytest.approx(3.0**2 + 1.5**2)


def test_the_distance_agrees_with_the_matrix_root_and_is_symmetric():
    rng = np.random.default_rng(0)
    a, b = (Moments(rng.normal(size=5), covariance(rng)) for _ in range(2))
    root = sqrtm(a.covariance @ b.covariance).real
    expected = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_the_distance_to_a_point_is_the_variance():
    rng = np.random.default_rng(0)
    a = Moments(rng.normal(size=5), covariance(rng))
    assert frechet_distance(a, Moments(a.mean, np.zeros((5, 5)))) == pytest.approx(np.trace(a.covariance))


def test_samples_of_known_gaussians_have_their_distance():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200_000, 2)), 1.0 + 3.0 * rng.normal(size=(200_000, 2))
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(2 * (1.0 + 4.0), rel=0.01)


def test_the_judge_knows_the_real_images(start):
    judge = Judge(start.images, start.classes, components=gan.COMPONENTS)
    assert judge.distance(start.images) == pytest.approx(0.0, abs=1e-6)
    assert judge.distance(start.images + 0.1) > 0.1
    assert 0.85 < judge.explained < 0.95
    assert judge.accuracy(start.images, start.classes) > 0.9
    assert judge.accuracy(start.images, np.roll(start.classes, 1, axis=1)) < 0.1


def test_references_are_ordered_as_their_names_say():
    found = {row["reference"]: row for row in gan.reference_rows(seed=0)}
    assert tuple(found) == gan.REFERENCES
    assert found["held-out digits"]["distance"] < found["pixel noise"]["distance"] < found["class means"]["distance"]
    assert found["class means"]["accuracy"] == 1.0
    assert found["held-out digits"]["accuracy"] > 0.9


def test_draws_are_as_many_as_the_steps():
    assert sum(len(rows) for rows, _ in gan.draws(100, TINY, seed=0)) == TINY.steps
