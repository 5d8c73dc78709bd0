"""When a fit ends: where nothing is left to gain, however much of the loss a bound leaves."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.errors import InvalidArgumentError
from tests.estimators.tables import QUICK, flights, rings

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


HELD_OUT = {"early_stopping": True, "n_iter_no_change": 5, "validation_fraction": 0.3, "tol": 0.0, "max_iter": 300}


def test_of_what_was_held_out_the_best_iterate_is_kept():
    x, y = flights(samples=50)
    y = y + 10 * np.random.default_rng(1).normal(size=y.shape)  # so that it is fitted too closely
    model = LipschitzRegressor(1e3, **QUICK | HELD_OUT).fit(x, y)
    curve = model.validation_loss_curve_
    best = int(curve.argmin())
    assert 0 < best == model.n_iter_ - 5
    assert len(curve) == len(model.loss_curve_) == model.n_iter_ + 1
    model.verify()
    _, aside, _, targets = train_test_split(x, y, test_size=0.3, random_state=0)
    assert np.square(model.predict(aside) - targets).sum(axis=1).mean() / 2 == pytest.approx(curve[best], rel=1e-9)
    shorter = LipschitzRegressor(1e3, **QUICK | HELD_OUT | {"max_iter": best}).fit
    with pytest.warns(ConvergenceWarning, match=f"still falls after max_iter={best}"):
        np.testing.assert_array_equal(shorter(x, y).predict(x), model.predict(x))


@pytest.mark.parametrize("label", [int, str, float])
def test_whole_groups_are_held_out(label):
    """What is held out is a third of the groups, whatever they are called and wherever rows of no weight lie."""
    x, y = flights(samples=60)
    of_row = np.repeat(np.arange(10), 6)
    groups = np.array([label(number) for number in of_row])
    model = LipschitzRegressor(1e3, **QUICK | HELD_OUT | {"max_iter": 5, "n_iter_no_change": 50})
    with pytest.warns(ConvergenceWarning):
        model.fit(x, y, groups=groups)
    squares = np.square(model.predict(x) - y).sum(axis=1) / 2
    held_out = np.random.default_rng(0).permutation(10)[:3]
    assert squares[np.isin(of_row, held_out)].mean() == pytest.approx(min(model.validation_loss_curve_), rel=1e-9)
    without = of_row != held_out[0]
    with pytest.warns(ConvergenceWarning):
        fewer, weighted = (
            model.fit(x[rows], y[rows], weights, groups[rows]).predict(x)
            for rows, weights in ((without, None), (slice(None), np.float64(without)))
        )
    np.testing.assert_array_equal(fewer, weighted)


def test_groups_are_held_out_so_that_every_class_trains():
    x, y = rings(samples=60)
    groups = np.arange(60) % 12
    y[groups > 0] = y[0]
    y[0] = "only in the first"
    model = LipschitzClassifier(1.0, **QUICK | HELD_OUT | {"validation_fraction": 0.9, "max_iter": 3})
    with pytest.warns(ConvergenceWarning):
        assert len(model.fit(x, y, groups=groups).classes_) == len(np.unique(y))
    with pytest.raises(InvalidArgumentError, match=r"whole groups, .*every class.* each of 1 groups is needed"):
        model.fit(x, y, groups=np.zeros(60))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (np.zeros(3), r"one entry for each of the 60 rows, shape \(60,\); got shape \(3,\)"),
        (np.zeros((60, 1)), r"got shape \(60, 1\)"),
        ([np.nan, *range(59)], "row 0 has nan, the first of 1"),
        (np.array([*range(59), None], dtype=object), "row 59 has None"),
        (pd.Series([*range(58), pd.NA, pd.NA]), "row 58 has <NA>, the first of 2"),
        (np.array([*range(59), "a"], dtype=object), "all of one kind"),
    ],
)
def test_groups_that_say_nothing_are_refused(groups, said):
    with pytest.raises(InvalidArgumentError, match=said):
        LipschitzRegressor(1.0, **QUICK | HELD_OUT).fit(X, Y, groups=groups)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_every_backend_can_hold_out(backend):
    found, oracle = (
        LipschitzRegressor(20.0, **QUICK | HELD_OUT | {"max_iter": 4, "dtype": "float64", "backend": each})
        for each in (backend, "reference")
    )
    for model in (found, oracle):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, Y)
    np.testing.assert_allclose(found.validation_loss_curve_, oracle.validation_loss_curve_, rtol=1e-6)


def test_a_classifier_holds_out_of_every_class_and_its_file_keeps_the_curve(tmp_path):
    x, y = rings(samples=60)
    y[:3] = "rare"
    model = LipschitzClassifier(50.0, **QUICK | HELD_OUT | {"validation_fraction": 0.34, "tol": 1e-2}).fit(x, y)
    assert model.validation_loss_curve_.argmin() < model.n_iter_ < 300
    _, aside, _, classes = train_test_split(x, y, test_size=0.34, random_state=0, stratify=y)
    chosen = model.predict_proba(aside)[np.arange(len(aside)), np.searchsorted(model.classes_, classes)]
    assert model.validation_loss_curve_.min() == pytest.approx(-np.log(chosen).mean(), rel=1e-9)
    assert list(model.classes_) == ["far", "middle", "near", "rare"]
    model.save(tmp_path / "net.npz")
    same = LipschitzClassifier.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(same.validation_loss_curve_, model.validation_loss_curve_)
    assert same.early_stopping is True
    assert LipschitzRegressor(2.0, **QUICK | {"max_iter": 1}).fit(X, Y).validation_loss_curve_ is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"early_stopping": "yes"}, "early_stopping must be True or False; got 'yes'"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a number between 0 and 1; got 1.0"),
        ({"validation_fraction": "0.1"}, "validation_fraction must be a number between 0 and 1; got '0.1'"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer of at least 1; got 0"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, words):
    with pytest.raises(InvalidArgumentError, match=words):
        LipschitzRegressor(**QUICK | parameters).fit(X, Y)
