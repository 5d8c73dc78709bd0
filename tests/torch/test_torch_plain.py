"""The plain trainer runs the drop-in classes through the parametrisation of their own, as the fast one does."""

import numpy as np
import pytest

from normbench import specs
from normbench.specs import parametrisations
from normbench.torch.benchmark.plain import PlainTrainer
from normbench.torch.benchmark.trainer import TorchTrainer
from tests.reference.regression import problem_at

KEYS = [key for key in specs.AUTOMATIC if not parametrisations.get(specs.get(key).parametrisation).plain]
STEPS = 40


@pytest.mark.parametrize("key", KEYS)
def test_both_trainers_make_the_same_run(key):
    problem, runs = problem_at(10.0), []
    for kind in (TorchTrainer, PlainTrainer):
        trainer = kind(problem, key, specs.get(key).resolve({}), dtype="float64", device="cpu")
        assert trainer.advance(STEPS) == STEPS
        runs.append(trainer.trajectory())
    fast, plain = runs
    np.testing.assert_allclose(plain.loss, fast.loss, rtol=1e-9)
    np.testing.assert_allclose(plain.step_size, fast.step_size, rtol=0, atol=1e-9)
    for ours, theirs in zip(plain.weights, fast.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert plain.loss[-1] < plain.loss[0]


def test_the_two_of_our_own_are_among_them():
    assert KEYS == ["geodesic_lbfgs", "polar_average"]
