"""pytest-benchmark measures only where it was asked to; a plain run makes one quick pass.

Through what JAX would compile for seconds it goes once for every variant.
"""

import functools
from types import SimpleNamespace

import pytest

from normbench import specs
from normbench.problems import tasks
from normbench.reference.trainer import ReferenceTrainer

ASKED = ("benchmark_only", "benchmark_enable", "benchmark_autosave", "benchmark_save", "benchmark_json")


def pytest_configure(config):
    """Under pytest-xdist nothing is measured, by intent: no warning is needed."""
    session = getattr(config, "_benchmarksession", None)
    if session is not None:
        session.xdist_warning = False


def measures(config):
    """Whether the call asks for measurements."""
    return any(config.getoption(option) for option in ASKED)


@pytest.fixture
def benchmark(benchmark, pytestconfig):
    """The fixture of pytest-benchmark, switched off unless the call asks for measurements."""
    benchmark.disabled = benchmark.disabled or not measures(pytestconfig)
    return benchmark


@pytest.fixture(scope="session")
def paper_problem():
    """Experiment 1 on the simulated flight, by the key of an optimiser."""
    dataset = tasks.get("quadrotor-sim").dataset()
    layers = tasks.get("quadrotor-sim").layers(dataset)

    @functools.cache
    def build(key):
        return tasks.problem(dataset, layers, specs.get(key).normalisation, split="random", seed=0)

    return build


@pytest.fixture(scope="session")
def reference(paper_problem):
    """The reference's trajectory of an optimiser, by key and iterations."""

    @functools.cache
    def run(key, iterations):
        trainer = ReferenceTrainer(paper_problem(key), key, specs.get(key).resolve({}))
        trainer.advance(iterations)
        return trainer.trajectory()

    return run


@pytest.fixture
def record(benchmark):
    """Store with a measurement what it computed."""

    def store(*, objective, counts, device="cpu", **more):
        counts = counts or SimpleNamespace(loss_evaluations=None, gradient_evaluations=None)
        benchmark.extra_info.update(
            objective=objective,
            loss_evaluations=counts.loss_evaluations,
            gradient_evaluations=counts.gradient_evaluations,
            device=device,
            **more,
        )

    return store
