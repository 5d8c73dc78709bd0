"""What cannot be fitted is one error that says what to change."""

from dataclasses import replace

import numpy as np
import pytest

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.backends.trajectory import Status
from normbench.errors import TrainingError
from normbench.reference.trainer import ReferenceTrainer
from tests.estimators.tables import QUICK, flights, rings

X, Y = flights(samples=30)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"lipschitz": 0.0}, "lipschitz must be positive and finite; got 0.0"),
        ({"lipschitz": np.inf}, "lipschitz must be positive and finite; got inf"),
        ({"lipschitz": "20"}, "lipschitz must be positive"),
        ({"hidden": 25}, r"hidden must be a tuple of widths; got 25"),
        ({"hidden": (25, 0)}, "every width in hidden must be .* got 0"),
        ({"inputs": "unit"}, "inputs must be affine, standardised, unit_norm; got 'unit'"),
        ({"optimiser": "geodesic"}, "Did you mean"),
        ({"optimiser": "agd"}, "keeps a bound"),
        ({"hyperparameters": {"histroy": 3}}, "Did you mean 'history'"),
        ({"optimiser": "adam", "parametrisation": "free"}, "no bound through it"),
        ({"backend": "numpy"}, "no backend 'numpy'"),
        ({"dtype": "float16"}, "dtype must be float32 or float64; got 'float16'"),
        ({"max_iter": 0}, "max_iter must be .* got 0"),
        ({"tol": -1.0}, "tol must be at least 0; got -1.0"),
        ({"tol": None}, "tol must be at least 0; got None"),
        ({"random_state": "seed"}, "cannot be used to seed"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        LipschitzRegressor(**QUICK | parameters).fit(X, Y)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.where(np.eye(30, 4), np.nan, X), Y, "NaN"),
        (X, np.where(np.eye(30, 2), np.inf, Y), "infinity"),
        (X[:1], Y[:1], "minimum of 2"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (np.ones_like(X), Y, "every column of X is constant"),
        (np.full((4, 1), "text"), Y[:4], "convert string to float"),
        (1e200 * X, Y, "X spreads by inf"),
        (X, 1e200 * Y, "y spreads by inf"),
        (X, 1e-200 * Y, "y spreads by 0.0"),
    ],
    ids=["nan", "inf", "one row", "lengths", "constant", "text", "huge X", "huge y", "tiny y"],
)
def test_a_table_that_cannot_be_fitted_is_told_why(x, y, words):
    with pytest.raises(ValueError, match=words):
        LipschitzRegressor(**QUICK).fit(x, y)


def test_one_class_and_a_sample_without_a_direction_are_refused():
    x, y = rings(samples=30)
    with pytest.raises(ValueError, match="y has one class, 'near'"):
        LipschitzClassifier(**QUICK).fit(x, np.full(len(x), "near"))
    with pytest.raises(ValueError, match="input sample 0 has zero norm"):
        LipschitzClassifier(inputs="unit_norm", **QUICK).fit(x - x[0], y)


def test_a_fit_that_diverged_raises(monkeypatch):
    whole = ReferenceTrainer.trajectory

    def diverged(trainer):
        return replace(whole(trainer), status=Status.DIVERGED, reason="the training loss became nan at iteration 3")

    monkeypatch.setattr(ReferenceTrainer, "trajectory", diverged)
    with pytest.raises(TrainingError, match=r"became nan at iteration 3\. Scale X or y"):
        LipschitzRegressor(20.0, **QUICK).fit(X, Y)
