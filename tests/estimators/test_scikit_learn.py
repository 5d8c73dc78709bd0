"""The estimators do what scikit-learn asks of its own, alone and inside its tools."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.running import export
from tests.estimators.tables import QUICK, flights, rings

TINY = {"backend": "reference", "hidden": (4,), "max_iter": 15}  # which is all that their scores need


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([LipschitzRegressor(**TINY), LipschitzClassifier(**TINY)])  # none is expected to fail
def test_scikit_learn_checks(estimator, check, monkeypatch):
    monkeypatch.setattr(export, "SECONDS", 1e-9)  # closed forms alone: no check asks how tight a bound is
    check(estimator)


def test_parameters_are_chosen_inside_a_pipeline():
    x, y = flights()
    pipeline = make_pipeline(StandardScaler(), LipschitzRegressor(**QUICK))
    search = GridSearchCV(pipeline, {"lipschitzregressor__lipschitz": [0.5, 60.0]}, cv=2).fit(x, y)
    assert search.best_params_ == {"lipschitzregressor__lipschitz": 60.0}
    assert search.score(x, y) > 0.6
    assert cross_val_score(LipschitzClassifier(5.0, **QUICK), *rings(), cv=2).min() > 0.7


def test_clones_and_pickles_predict_the_same():
    x, y = flights()
    model = LipschitzRegressor(30.0, **QUICK).fit(x, y)
    for same in (clone(model).fit(x, y), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(same.predict(x), model.predict(x))
        assert same.lipschitz_bound_ == model.lipschitz_bound_
    assert not np.array_equal(clone(model).set_params(random_state=1).fit(x, y).predict(x), model.predict(x))


def test_the_package_does_not_load_scikit_learn():
    code = "import sys, normbench; print('sklearn' in sys.modules, 'LipschitzRegressor' in normbench.__all__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
