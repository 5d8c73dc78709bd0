"""A network whose outputs are the same for every row is said to be one, and no other is."""

import warnings

import numpy as np
import pytest

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.estimators import DeadNetworkWarning
from tests.estimators.tables import QUICK, flights, rings

KINDS = {"regressor": (LipschitzRegressor, flights), "classifier": (LipschitzClassifier, rings)}
NARROW = QUICK | {"hidden": (1, 1, 1), "max_iter": 5}  # half of such networks are dead when they are drawn


def outputs(model, x):
    return model.decision_function(x) if isinstance(model, LipschitzClassifier) else model.predict(x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"batch_size": 20}, {"weighted": True}], ids=str)
def test_a_fit_warns_exactly_where_the_outputs_do_not_vary(kind, options):
    make, table = KINDS[kind]
    x, y = table(samples=60)
    options = dict(options)
    weight = np.linspace(0.5, 2.0, len(x)) if options.pop("weighted", False) else None
    said, same = [], []
    for seed in range(8):
        model = make(5.0, **NARROW | options, random_state=seed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(x, y, weight)
        dead = [str(warning.message) for warning in caught if warning.category is DeadNetworkWarning]
        assert all("wider layers (hidden) or another random_state" in text for text in dead)
        said.append(len(dead))
        found = outputs(model, x)
        same.append(int((found == found[0]).all()))
        model.verify()
    assert said == same
    assert 0 < sum(said) < 8


@pytest.mark.parametrize("lipschitz", [1e-12, 1e9])
def test_outputs_that_hardly_vary_are_not_dead(lipschitz):
    """Beside their mean they are lost in rounding."""
    x, y = flights(samples=60)
    LipschitzRegressor(lipschitz, **QUICK).fit(x, 1e6 + y)  # warnings are errors


def test_targets_that_do_not_vary_are_not_dead():
    x, _ = flights(samples=60)
    assert LipschitzRegressor(1.0, **QUICK).fit(x, np.full(60, 3.0)).lipschitz_bound_ == 0.0
