"""Trainers of every backend through a parametrisation: the same runs, plain weights at the end, the bound kept."""

import numpy as np
import pytest

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark.trainer import JaxTrainer
from normbench.reference.trainer import ReferenceTrainer
from normbench.running.batches import batches
from normbench.torch.benchmark.trainer import TorchTrainer
from tests.reference.regression import problem_at

BOUND = 10.0
LAYERS = (6, 9, 4, 3)
BUILD = {
    "reference": ReferenceTrainer,
    "torch": lambda *given, **named: TorchTrainer(*given, dtype="float64", device="cpu", **named),
    "jax": lambda *given, **named: JaxTrainer(*given, iterations=40, dtype="float64", device="cpu", **named),
}


def build(backend, problem, optimiser, *, rows=None, parametrisation=None, **given):
    hyperparameters = specs.get(optimiser).resolve(given)
    return BUILD[backend](problem, optimiser, hyperparameters, rows=rows, parametrisation=parametrisation)


# It compiles for seconds: with batches once and without; test_at_a_bound.py has every way and its gradients.
IN_JAX = (("spectral", True), ("sandwich", False))


@pytest.mark.parametrize("batched", [False, True], ids=["full", "batches"])
@pytest.mark.parametrize("parametrisation", ["spectral", "sandwich", "bjorck"])
def test_adam_makes_the_same_run_everywhere_and_keeps_the_bound(parametrisation, batched):
    problem = problem_at(BOUND, layers=LAYERS)
    drawn = batches(len(problem.x_train), 40, seed=0)
    rows = np.stack([next(drawn) for _ in range(40)]) if batched else None
    runs = {}
    backends = ["reference", "torch"] + ["jax"] * ((parametrisation, batched) in IN_JAX)
    for backend in backends:
        trainer = build(backend, problem, "adam", rows=rows, parametrisation=parametrisation, learning_rate=0.02)
        assert trainer.advance(40) == 40
        runs[backend] = trainer.trajectory()
        assert [w.shape for w in runs[backend].weights] == list(problem.network.weight_shapes)
        test = trainer.test_loss()
        outputs = next(trainer.outputs("test"))
        assert np.mean(np.sum((outputs - problem.y_test) ** 2, axis=1)) / 2 == pytest.approx(test, rel=1e-9)
    for backend in backends[1:]:
        np.testing.assert_allclose(runs[backend].loss, runs["reference"].loss, rtol=1e-9)
        for ours, theirs in zip(runs[backend].weights, runs["reference"].weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert runs["reference"].loss[-1] < runs["reference"].loss[0]
    if parametrisation != "sandwich":
        assert problem.lipschitz_bound(runs["torch"].weights) < BOUND


@pytest.mark.parametrize("backend", BUILD)
def test_a_parametrisation_that_does_not_fit_is_refused_with_the_reason(backend):
    with pytest.raises(InvalidArgumentError, match="method1 moves matrices on spheres"):
        build(backend, problem_at(BOUND), "method1", parametrisation="ball")
