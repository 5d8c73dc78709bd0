"""Records with chosen figures, all variations of one real run of the reference."""

import pytest

from normbench import specs
from normbench.papers.runs import PAPER_LAYERS
from normbench.problems import tasks
from normbench.records.build import record_of
from normbench.running.request import Asked
from normbench.running.run import run
from tests.changes import changed


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
    return record_of(asked, run(asked, dataset).outcome, dataset, tuning_runs=0, jobs=1, threads=1)


@pytest.fixture(scope="session")
def make(real_record):
    """A record of an optimiser at its defaults, with anything replaced."""

    def make_record(optimiser="method1", learning_rate=None, **changes):
        values = specs.get(optimiser).resolve({} if learning_rate is None else {"learning_rate": learning_rate})
        usual = {"layers": PAPER_LAYERS, "backend": "torch", "dtype": "float32", "iterations": 200}
        return changed(real_record, **(usual | {"optimiser": optimiser, "hyperparameters": values} | changes))

    return make_record
