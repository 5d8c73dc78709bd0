"""Many samples go through a network in chunks, and nothing but the memory tells."""

from typing import Any

import numpy as np
import pytest

from normbench.networks import preactivation_resnet18
from normbench.problems import tasks
from normbench.problems.scaling import spectral_initialisation
from normbench.specs import get
from tests.running.few_digits import asked, assert_same_run, few_digits, of_the_reference, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
    pytest.mark.usefixtures("small_chunks"),
]

ITERATIONS = 7  # as in no other test: JAX has no program in store that was compiled without chunks


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """96 training samples in two whole chunks and a part; evaluation in chunks of another size."""
    import normbench.backends.trajectory
    import normbench.jax.benchmark.objective
    import normbench.torch.benchmark.objective

    for module in (normbench.jax.benchmark.objective, normbench.torch.benchmark.objective):
        monkeypatch.setattr(module, "ACCUMULATED", 40)
    monkeypatch.setattr(normbench.backends.trajectory, "EVALUATED", 29)


@pytest.mark.parametrize(
    ("backend", "task", "key", "given"),
    [
        ("torch", "digits-conv-xent", "method1", {"order": 3}),
        ("jax", "digits-xent", "method1", {}),  # dense: it compiles in half the time, and chunks know no layers
        ("torch", "digits-conv", "adam", {"learning_rate": 0.01}),
    ],
)
def test_runs_in_chunks_follow_the_reference(backend: str, task: str, key: str, given: dict[str, Any]) -> None:
    expected = of_the_reference(task, key, given, iterations=ITERATIONS)
    found = trained(task, key, backend, hyperparameters=given, iterations=ITERATIONS)
    assert_same_run(found, expected, asked(task, key, backend, hyperparameters=given))
    np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_outputs_come_in_the_order_of_the_samples(backend: str) -> None:
    from normbench.backends.trajectory import Part
    from normbench.reference.network import forward
    from normbench.running.run import build_trainer, problem_of

    wanted = asked("digits-conv-xent", "agd", backend, iterations=ITERATIONS)
    problem = problem_of(wanted, few_digits())
    trainer = build_trainer(wanted, problem)
    for part, x in ((Part.TRAIN, problem.x_train), (Part.TEST, problem.x_test)):
        expected = forward(problem.network, problem.weights, x)
        np.testing.assert_allclose(np.concatenate(list(trainer.outputs(part))), expected, rtol=1e-10, atol=1e-12)


def test_batches_that_are_normed_together_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch norm sees every sample of the batch, so that a gradient is that of all of them at once."""
    from normbench.torch.benchmark.trainer import TorchTrainer

    dataset = tasks.get("digits").dataset().take(np.arange(0, 1797, 30))
    part = dataset.inputs, dataset.outputs
    network = preactivation_resnet18(10, width=1, side=8, channels=1)
    problem = spectral_initialisation(part, part, network, seed=0, classes=10)
    hyper = get("lars").resolve({})
    monkeypatch.setattr("normbench.torch.benchmark.objective.ACCUMULATED", 60)
    expected = TorchTrainer(problem, "lars", hyper, dtype="float64", device="cpu")
    expected.advance(2)
    monkeypatch.setattr("normbench.torch.benchmark.objective.ACCUMULATED", 40)
    rows = np.stack([np.arange(60)] * 2)
    whole = TorchTrainer(problem, "lars", hyper, dtype="float64", device="cpu", rows=rows)
    whole.advance(2)
    np.testing.assert_allclose(whole.trajectory().loss, expected.trajectory().loss, rtol=1e-12)
