"""Jobs in this process, and data for whole runs: real flights where NORMBENCH_DATA has them, else the simulated one."""

import os

import pytest

from normbench import data
from normbench.data.dataset import Dataset
from tests.this_process import in_this_process  # noqa: F401


@pytest.fixture(scope="session")
def flights() -> Dataset:
    if "NORMBENCH_DATA" in os.environ:
        return data.load("neural-fly")
    return data.load("quadrotor-sim")


@pytest.fixture(scope="session")
def simulated() -> Dataset:
    return data.load("quadrotor-sim")
