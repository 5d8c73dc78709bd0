"""The measured gain approaches the Lipschitz constant from below and never passes the bound."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from normbench import specs
from normbench.problems import tasks
from normbench.running.certificate import largest_gain
from normbench.running.request import Asked
from normbench.running.run import run
from normbench.specs import Normalisation

OPTIONS = specs.get("fgsgd").resolve({})  # which manifolds, where there are any


@pytest.fixture(scope="module")
def dataset():
    return tasks.get("quadrotor-sim").dataset()


@pytest.fixture(scope="module", params=Normalisation)
def problem(dataset, request):
    return tasks.problem(dataset, (12, 25, 30, 15, 3), request.param, split="random", seed=1, hyperparameters=OPTIONS)


def test_no_measured_gain_exceeds_the_bound(problem):
    rng = np.random.default_rng(5)
    for _ in range(20):
        weights = tuple(rng.normal(size=w.shape) * rng.uniform(0.1, 2.0) for w in problem.weights)
        assert 0.0 < largest_gain(problem, weights) <= problem.lipschitz_bound(weights)


def test_the_bound_of_a_network_that_never_bends_is_found_to_rounding(problem):
    """With weights >= 0 and inputs >= 0 no ReLU bends, and with rank-one layers the bound is the gain itself."""
    inputs = np.abs(problem.x_train)
    columns = [np.abs(np.random.default_rng(k).normal(size=n)) for k, n in enumerate((12, 25, 30, 15, 3))]
    weights = tuple(np.outer(out, into / np.linalg.norm(into)) for into, out in pairwise(columns))
    bound = problem.lipschitz_bound(weights)
    assert largest_gain(replace(problem, x_train=inputs), weights) == pytest.approx(bound, rel=1e-9)


def test_a_gain_is_physical(problem):
    """Outputs in other units change the gain by the same factor."""
    doubled = replace(problem, output_scale=2 * problem.output_scale)
    assert largest_gain(doubled, problem.weights) == pytest.approx(2 * largest_gain(problem, problem.weights))


def test_weights_that_are_not_finite_have_no_gain(problem):
    broken = (np.full_like(problem.weights[0], np.nan), *problem.weights[1:])
    assert np.isnan(largest_gain(problem, broken))


def test_a_run_reports_its_measured_gain_under_its_bound(dataset):
    asked = Asked(
        task="quadrotor-sim",
        layers=(12, 25, 30, 15, 3),
        optimiser="adam",
        hyperparameters={"learning_rate": 0.01},
        backend="reference",
        dtype="float64",
        seed=0,
        iterations=3,
    ).resolved()
    result = run(asked, dataset)
    assert 0.0 < result.outcome.lipschitz_measured <= result.outcome.lipschitz_bound
