"""When a fit ends: where nothing is left to gain, however much of the loss a bound leaves."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from normbench import LipschitzRegressor
from tests.estimators.tables import QUICK, flights

X, Y = flights(samples=60)
OPTIONS = QUICK | {"max_iter": 300, "tol": 1e-3}


@pytest.mark.parametrize("lipschitz", [1e-3, 1.0])
def test_a_narrow_bound_is_used_up_before_the_fit_ends(lipschitz):
    found, longer = (LipschitzRegressor(lipschitz, **OPTIONS | change).fit(X, Y) for change in ({}, {"tol": 0.0}))
    assert found.n_iter_ < 300
    fall, most = (model.loss_curve_[0] - model.loss_curve_[-1] for model in (found, longer))
    assert fall > 0.98 * most
    assert found.lipschitz_bound_ > 0.98 * lipschitz


def test_a_fit_without_errors_ends():
    y = X @ np.array([1.0, 2.0, 3.0, 4.0])
    model = LipschitzRegressor(100.0, **OPTIONS | {"hidden": ()}).fit(X, y)
    assert model.n_iter_ < 100
    assert model.score(X, y) > 1 - 1e-5


def test_a_fit_that_max_iter_ends_warns():
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        LipschitzRegressor(20.0, **OPTIONS | {"max_iter": 3}).fit(X, Y)
    assert LipschitzRegressor(20.0, **OPTIONS | {"max_iter": 3, "tol": 0.0}).fit(X, Y).n_iter_ == 3
