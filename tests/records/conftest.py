"""A real record from a short run of the reference on the simulated flight."""

import pytest

from normbench.problems import tasks
from normbench.records.build import record_of
from normbench.running.request import Asked
from normbench.running.run import run
from tests.this_process import in_this_process  # noqa: F401


@pytest.fixture(scope="session")
def dataset():
    return tasks.get("quadrotor-sim").dataset()


@pytest.fixture(scope="session")
def record(dataset):
    asked = Asked(
        task="quadrotor-sim",
        layers=(12, 4, 3),
        optimiser="adam",
        backend="reference",
        dtype="float64",
        seed=0,
        iterations=4,
    ).resolved()
    return record_of(asked, run(asked, dataset).outcome, dataset, jobs=1, threads=1)
