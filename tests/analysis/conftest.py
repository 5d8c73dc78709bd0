"""Records with chosen figures, all variations of one real run of the reference."""

import numpy as np
import pytest

from normbench import specs
from normbench.papers.runs import PAPER_LAYERS
from normbench.problems import tasks
from normbench.records.build import record_of
from normbench.running.request import Asked
from normbench.running.result import Curves
from normbench.running.run import run
from tests.changes import changed

ITERATIONS = 200
BOUNDS = (5.0, 20.0, 80.0)
SEEDS = range(3)


@pytest.fixture(scope="session")
def real_record():
    dataset = tasks.get("quadrotor-sim").dataset()
    asked = Asked(
        task="quadrotor-sim",
        layers=(12, 4, 3),
        optimiser="method1",
        backend="reference",
        dtype="float64",
        seed=0,
        iterations=2,
    ).resolved()
    return record_of(asked, run(asked, dataset).outcome, dataset, jobs=1, threads=1)


@pytest.fixture(scope="session")
def make(real_record):
    """A record of an optimiser at its defaults, with anything replaced."""

    def make_record(optimiser="method1", learning_rate=None, **changes):
        values = specs.get(optimiser).resolve({} if learning_rate is None else {"learning_rate": learning_rate})
        usual = {"layers": PAPER_LAYERS, "backend": "torch", "dtype": "float32", "iterations": 200}
        return changed(real_record, **(usual | {"optimiser": optimiser, "hyperparameters": values} | changes))

    return make_record


@pytest.fixture(scope="session")
def planted(make):
    """A run whose test RMS falls from three times to twice to once the final one, at iterations 0, 100 and 200."""

    def planted_run(optimiser="geodesic_lbfgs", lipschitz=20.0, seed=0, rms=1.0, *, losses=1, gradients=1, **changes):
        done = changes.pop("iterations_done", changes.get("iterations", ITERATIONS))
        k = np.arange(done + 1)
        checkpoints = tuple(i for i in (0, done // 2, done))
        curves = Curves(
            loss=(1.0,) * (done + 1),
            test_iterations=checkpoints,
            test_loss=(1.0,) * len(checkpoints),
            test_rms=(3 * rms, 2 * rms, rms),
            loss_evaluations=tuple(int(n) for n in losses * k),
            gradient_evaluations=tuple(int(n) for n in gradients * k),
        )
        values = {
            "parametrisation": "sandwich" if optimiser == "geodesic_lbfgs" else "spectral",
            "curves": curves,
            "test_rms": rms,
            "iterations": ITERATIONS,
            "iterations_done": done,
            "certified_by": "lipsdp",
            "lipschitz_certificate": 1.0 if lipschitz is None else 0.9 * lipschitz,
        }
        return make(optimiser, lipschitz=lipschitz, seed=seed, **(values | changes))

    return planted_run


@pytest.fixture(scope="session")
def level(planted):
    """Runs of a way at all bounds and seeds, with the same RMS but for the seed's own factor."""

    def runs(optimiser, rms, *, bounds=BOUNDS, seeds=SEEDS, **changes):
        return [
            planted(optimiser, bound, seed, rms * (1 + 0.1 * seed), **changes) for bound in bounds for seed in seeds
        ]

    return runs
