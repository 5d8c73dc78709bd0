"""Method 2's line search finds the first minimum of the majorant from any guess, though there may be others."""

import math
from importlib import import_module
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.reference import method2 as reference
from normbench.reference.network import Objective
from normbench.reference.spheres import directions, radii
from normbench.torch.updates import method2 as torch_method2
from tests.agreement.conftest import problem_for

pytestmark = pytest.mark.quick

jax_method2 = import_module("normbench.jax.updates.method2")  # the package exports the transformation under that name

CALM, STEEP = 1.0, 1e5  # factors on the gradient: the first minimum moves from below a degree to tens of degrees


def line(seed, steepness):
    """A curve from a random network, and the majorant along it by the reference."""
    problem = problem_for("method2", seed=seed)
    gradient = Objective.of(problem).gradient(problem.weights)
    gradient = tuple(steepness * g for g in gradient)
    along = directions(gradient, problem.weights, radii(problem.weights))
    return reference.Majorant(along.alpha, along.beta, 1.0, problem.weights, along.velocity)


def torch_search(majorant, guess):
    weights, velocity = ([torch.tensor(m) for m in side] for side in (majorant.weights, majorant.velocity))
    along = SimpleNamespace(velocity=velocity, moving=[True] * len(weights))
    gram = torch_method2.grams(weights, along)
    return torch_method2.line_search(gram, majorant.alpha, majorant.beta, majorant.Q, guess)


@jax.jit
def jax_program(weights, velocity, *given):
    along = SimpleNamespace(velocity=velocity, moving=tuple(jnp.asarray(True) for _ in weights))
    return jax_method2.line_search(jax_method2.grams(weights, along), *given)


def jax_search(majorant, guess):
    with jax.enable_x64(True):
        given = [jnp.asarray(v) for v in (majorant.alpha, majorant.beta, majorant.Q, guess)]
        return float(jax_program(majorant.weights, majorant.velocity, *given))


SEARCHES = {"torch": torch_search, "jax": jax_search}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("steepness", [CALM, STEEP], ids=["calm", "steep"])
@pytest.mark.parametrize("seed", range(2))
def test_the_search_finds_the_first_minimum_from_any_guess(search, seed, steepness):
    majorant = line(seed, steepness)
    expected = majorant.minimiser()
    for guess in (0.0, expected / 1000, 0.9 * expected, expected, min(1.4 * expected, math.pi)):
        assert search(majorant, guess) == pytest.approx(expected, rel=1e-8), f"{guess=}"


def line_that_falls_again():
    """A majorant that falls beyond pi/2, and at 0 is so flat that Newton's first step would land there.

    ||W (cos t - 1) + Z sin t||_op all but follows sin t: W is spread over all directions, Z lies in one.
    """
    rng = np.random.default_rng(0)
    weights, velocity = [], []
    for shape in ((12, 8), (10, 12), (9, 10)):
        q, _ = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
        W = (q if q.shape == shape else q.T) / math.sqrt(min(shape))
        Z = np.outer(rng.normal(size=shape[0]), rng.normal(size=shape[1]))
        Z -= np.sum(W * Z) * W
        weights.append(W)
        velocity.append(Z / np.linalg.norm(Z))
    beta, t = 0.01, 1e-6
    curvature = (reference.Majorant(0.0, beta, 1.0, tuple(weights), tuple(velocity)).derivative(t) + beta) / t
    return reference.Majorant(curvature - beta / 2.5, beta, 1.0, tuple(weights), tuple(velocity))


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_second_minimum_beyond_the_first_is_not_taken(search):
    majorant = line_that_falls_again()
    first = majorant.minimiser()
    assert majorant.derivative(1.1 * first) > 0 > majorant.derivative(2.5), "there is no other minimum to be taken"
    assert search(majorant, 0.0) == pytest.approx(first, rel=1e-8)
