"""Iterations of the optimisers, the trainers and the plain autodiff way side by side; all must follow the reference."""

import math
import shutil

import pytest

from tests.performance.variants import VARIANTS

ITERATIONS = 5
ROUNDS = 15
# float32: a few units in the last place of the squared residuals, summed over 23,201 samples
TOLERANCE = 1e-4


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("key", ["method1", "method2", "fromage", "adam"])
def test_five_iterations(benchmark, record, paper_problem, reference, key, variant):
    measure(benchmark, record, paper_problem, reference, key, variant, device="cpu")


@pytest.mark.gpu
@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("variant", ["torch", "jax"])
@pytest.mark.parametrize("key", ["method1", "method2", "fromage", "adam"])
def test_five_iterations_on_gpu(benchmark, record, paper_problem, reference, key, variant):
    measure(benchmark, record, paper_problem, reference, key, variant, device="cuda")


def measure(benchmark, record, paper_problem, reference, key, variant, *, device):
    """Every round starts a run of its own, so that every round does the same work."""
    benchmark.group = f"{key}, {ITERATIONS} iterations of 12-25-30-15-3, {device}"
    problem = paper_problem(key)
    run = None

    def start():
        nonlocal run
        run = VARIANTS[variant](problem, key, device)
        return (run,), {}

    benchmark.pedantic(lambda run: run.advance(ITERATIONS), setup=start, rounds=ROUNDS, warmup_rounds=1)
    counts, objective = run.counts(), run.objective()
    record(objective=objective, counts=counts, device=device, variant=variant, iterations=ITERATIONS)

    expected = reference(key, ITERATIONS)
    assert math.isclose(objective, expected.loss[-1], rel_tol=TOLERANCE)
    # the trainers count the gradient at the start of a next iteration where they make it in the same sweep
    assert counts.gradient_evaluations >= ITERATIONS
    if counts.loss_evaluations is not None:
        assert counts.loss_evaluations >= ITERATIONS
