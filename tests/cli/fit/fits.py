"""Tables of a user's, and a call of ``normbench fit`` that ends soon."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.cli.calls import call
from tests.estimators.tables import flights, rings

X, Y = flights(samples=120)
GROUP = np.repeat(list("abcde"), 24)
COLUMNS = ["--inputs", "v,q_0,q_1", "--outputs", "fx,fz"]
QUICK = ["--backend", "reference", "--hidden", "5", "--max-iter", 15, "--tol", 0]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "wind tunnel.csv"
    cells = {"v": [str(row) for row in X[:, :2].tolist()], "q_0": X[:, 2], "q_1": X[:, 3], "fx": Y[:, 0], "fz": Y[:, 1]}
    pd.DataFrame(cells | {"flight": GROUP, "t": np.arange(120) * 0.5}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    path, (x, y) = tmp_path_factory.mktemp("mine") / "surfaces.npz", rings(samples=90)
    np.savez(path, east=x[:, 0], north=x[:, 1], ring=y, number=np.unique(y, return_inverse=True)[1])
    return path


def fit(*arguments):
    """The JSON of a call, and nothing beside it."""
    result = call("fit", *arguments, *QUICK, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)
