"""A real record from a short run of the reference on the simulated flight."""

import pytest

from normbench.problems import tasks
from normbench.records.build import finished_record
from normbench.running.request import request
from normbench.running.run import run


@pytest.fixture(scope="session")
def dataset():
    return tasks.get("quadrotor-sim").dataset()


@pytest.fixture(scope="session")
def record(dataset):
    asked = request(
        task="quadrotor-sim",
        layers=(12, 4, 3),
        optimiser="adam",
        backend="reference",
        dtype="float64",
        seed=0,
        iterations=4,
    )
    return finished_record(run(asked, dataset), dataset, tuning_runs=0, jobs=1)
