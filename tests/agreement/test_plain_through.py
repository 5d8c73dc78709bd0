"""The loops that a user would write, through the parametrisations of the optimisers: the reference's runs."""

from functools import partial

import numpy as np
import pytest

from normbench import specs
from normbench.jax.benchmark.plain import PlainTrainer as JaxPlain
from normbench.reference.trainer import ReferenceTrainer
from normbench.specs import parametrisations
from normbench.torch.benchmark.plain import PlainTrainer as TorchPlain
from tests.reference.regression import problem_at

PLAIN = {"jax": JaxPlain, "torch": partial(TorchPlain, device="cpu")}
THROUGH = [key for key in specs.AUTOMATIC if not parametrisations.get(specs.get(key).parametrisation).plain]
STEPS = 60


@pytest.mark.parametrize("key", THROUGH)
@pytest.mark.parametrize("backend", PLAIN)
def test_a_users_loop_makes_the_references_run(backend, key):
    problem, hyper = problem_at(10.0, seed=3, layers=(6, 9, 3)), specs.get(key).resolve({})
    reference, plain = ReferenceTrainer(problem, key, hyper), PLAIN[backend](problem, key, hyper, dtype="float64")
    assert reference.advance(STEPS) == plain.advance(STEPS) == STEPS
    found, expected = plain.trajectory(), reference.trajectory()
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-9)
    np.testing.assert_allclose(found.step_size, expected.step_size, rtol=0, atol=1e-9)
    for ours, theirs in zip(found.weights, expected.weights, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert found.loss[-1] < found.loss[0]


def test_there_are_optimisers_of_that_kind():
    assert {"geodesic_lbfgs", "polar_average"} <= set(THROUGH)
