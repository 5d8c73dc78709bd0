"""Iterations of the optimisers, the trainers and the plain autodiff way side by side; all must follow the reference."""

import math
import shutil

import pytest

from normbench.problems import tasks
from normbench.running.request import Asked
from normbench.running.run import build_trainer, problem_of
from tests.performance.conftest import measures
from tests.performance.variants import VARIANTS, TrainerRun

ITERATIONS = 5
ROUNDS = 15
# float32: a few units in the last place of the squared residuals, summed over 23,201 samples
TOLERANCE = 1e-4
KEYS = ("method1", "method2", "fromage", "adam")
COMPILED = {"jax": ("fromage",), "jax autodiff": ("method1", "adam")}  # in a plain run; each takes a way of its own


def pytest_generate_tests(metafunc):
    """All that there is where it is measured; in a plain run JAX compiles every variant, not every optimiser in it."""
    everything = measures(metafunc.config)
    if metafunc.function is test_five_iterations:
        pairs = [(key, v) for v in VARIANTS for key in KEYS if everything or key in COMPILED.get(v, KEYS)]
        metafunc.parametrize(("key", "variant"), pairs)
    if metafunc.function is test_five_iterations_of_geodesic_lbfgs_at_a_bound:
        metafunc.parametrize("backend", ["torch", "jax"] if everything else ["torch"])


def test_five_iterations(benchmark, record, paper_problem, reference, key, variant):
    measure(benchmark, record, paper_problem, reference, key, variant, device="cpu")


@pytest.mark.gpu
@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("variant", ["torch", "jax"])
@pytest.mark.parametrize("key", KEYS)
def test_five_iterations_on_gpu(benchmark, record, paper_problem, reference, key, variant):
    measure(benchmark, record, paper_problem, reference, key, variant, device="cuda")


def test_five_iterations_of_geodesic_lbfgs_at_a_bound(benchmark, record, backend):
    asked = {"task": "quadrotor-sim", "layers": (12, 25, 30, 15, 3), "optimiser": "geodesic_lbfgs", "seed": 0}
    asked |= {"iterations": ITERATIONS, "lipschitz": 20.0}
    dataset = tasks.get("quadrotor-sim").dataset()

    def trainer(backend, dtype):
        request = Asked(**asked, backend=backend, dtype=dtype).resolved()
        return TrainerRun(build_trainer(request, problem_of(request, dataset)))

    expected = trainer("reference", "float64")
    expected.advance(ITERATIONS)
    benchmark.group = f"geodesic_lbfgs through the sandwich, {ITERATIONS} iterations of 12-25-30-15-3, cpu"
    timed_and_held(
        benchmark, record, lambda: trainer(backend, "float32"), expected.objective(), device="cpu", variant=backend
    )


def measure(benchmark, record, paper_problem, reference, key, variant, *, device):
    """Every round starts a run of its own, so that every round does the same work."""
    benchmark.group = f"{key}, {ITERATIONS} iterations of 12-25-30-15-3, {device}"
    problem, expected = paper_problem(key), reference(key, ITERATIONS).loss[-1]
    timed_and_held(
        benchmark,
        record,
        lambda: VARIANTS[variant](problem, key, device),
        expected,
        device=device,
        variant=variant,
    )


def timed_and_held(benchmark, record, make, expected, *, device, variant):
    """Measure the iterations of fresh runs, and hold where the last one ends against the reference."""
    run = None

    def start():
        nonlocal run
        run = make()
        return (run,), {}

    benchmark.pedantic(lambda run: run.advance(ITERATIONS), setup=start, rounds=ROUNDS, warmup_rounds=1)
    counts, objective = run.counts(), run.objective()
    record(objective=objective, counts=counts, device=device, variant=variant, iterations=ITERATIONS)
    assert math.isclose(objective, expected, rel_tol=TOLERANCE)
    # the trainers count the gradient at the start of a next iteration where they make it in the same sweep
    assert counts.gradient_evaluations >= ITERATIONS
    if counts.loss_evaluations is not None:
        assert counts.loss_evaluations >= ITERATIONS
