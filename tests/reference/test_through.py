"""Optimisers of free variables run through a parametrisation as they stand, and keep its bound."""

import numpy as np
import pytest

from normbench import specs
from normbench.reference.baselines import adam, sgd
from normbench.reference.fromage import fromage
from normbench.reference.parametrisations import chart
from normbench.reference.through import Through
from normbench.specs import Geometry, parametrisations
from normbench.specs.parametrisations import PARAMETRISATIONS
from tests.reference.regression import Run, problem_at

pytestmark = pytest.mark.quick

UPDATES = {"adam": (adam, 0.02), "sgd": (sgd, 10.0), "fromage": (fromage, 0.02)}
PAIRS = [(name, key) for name in UPDATES for key in parametrisations.through(specs.get(name), bounded=True)]


@pytest.mark.parametrize(("name", "key"), PAIRS)
def test_the_loss_falls_and_the_bound_holds_at_every_iterate(name, key):
    update, rate = UPDATES[name]
    run = Run(specs.get(name), update, PARAMETRISATIONS[key], learning_rate=rate)
    losses = [run.point.loss]
    for _ in range(80):
        losses.append(run.step().point.loss)
        if PARAMETRISATIONS[key].certificate is parametrisations.Certificate.PRODUCT:
            assert run.problem.lipschitz_bound(run.chart.weights(run.point.weights)) < 20.0
        else:
            witness = run.chart.witness(run.point.weights)
            norms = [np.linalg.norm(np.hstack(pair), 2) for pair in zip(witness["a"], witness["b"], strict=False)]
            assert max(norms) <= 1 + 1e-12
    assert losses[-1] < 0.7 * losses[0]


def test_weights_that_are_no_polynomials_have_no_series():
    problem = problem_at(5.0)
    found = chart(PARAMETRISATIONS["spectral"], Geometry.FREE, problem.network.weight_shapes)
    with pytest.raises(NotImplementedError, match="no polynomials"):
        Through(None, found, Geometry.FREE).series_derivatives([[w] for w in problem.weights])
