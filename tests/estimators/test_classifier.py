"""What the classifier certifies: no smaller change of an input changes its class."""

import numpy as np
import pandas as pd
import pytest

from normbench import LipschitzClassifier
from tests.estimators.tables import QUICK, gains, rings

X, Y = rings()


def test_probabilities_classes_and_logits_say_the_same():
    model = LipschitzClassifier(5.0, **QUICK).fit(X, Y)
    model.verify()
    np.testing.assert_array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))
    np.testing.assert_array_equal(model.decision_function(X), model.logits(X))
    assert model.score(X, Y) > 0.8
    chosen = model.predict_proba(X)[np.arange(len(X)), np.searchsorted(model.classes_, Y)]
    assert model.loss_curve_[-1] == pytest.approx(-np.log(chosen).mean(), rel=1e-9)
    assert gains(model.logits, X).max() <= model.lipschitz_bound_ <= 5.0


@pytest.mark.parametrize("inputs", ["affine", "standardised", "unit_norm"])
def test_no_change_within_the_radius_changes_the_class(inputs):
    x = X * [1.0, 0.2] if inputs == "standardised" else X  # else both columns are in the same unit
    model = LipschitzClassifier(5.0, inputs=inputs, **QUICK).fit(x, Y)
    radius, classes = model.certified_radius(x), model.predict(x)
    assert radius.max() > 0.01
    rng = np.random.default_rng(0)
    for _ in range(50):
        direction = rng.normal(size=x.shape)
        direction *= (0.999 * radius / np.linalg.norm(direction, axis=1))[:, None]
        assert (model.predict(x + direction) == classes).all()


def test_the_radius_of_a_linear_classifier_of_two_classes_is_the_distance_to_its_boundary():
    y = X[:, 0] + 2 * X[:, 1] > X.mean(axis=0) @ [1, 2]
    model = LipschitzClassifier(3.0, **QUICK | {"hidden": ()}).fit(X, y)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    at_zero, *others = model.decision_function(corners)
    slope = np.array(others) - at_zero
    distance = np.abs(model.decision_function(X)) / np.linalg.norm(slope)
    np.testing.assert_array_less(model.certified_radius(X), distance * (1 + 1e-9))
    np.testing.assert_allclose(model.certified_radius(X), distance, rtol=0.02)


def test_a_table_with_names_is_asked_as_it_is():
    named = pd.DataFrame(X, columns=["east", "north"])
    with_names, without = (LipschitzClassifier(5.0, **QUICK).fit(table, Y) for table in (named, X))
    for name in ("certified_radius", "logits", "predict_proba"):  # warnings of lost names are errors here
        np.testing.assert_allclose(getattr(with_names, name)(named), getattr(without, name)(X), rtol=1e-6)


def test_the_radius_over_directions_is_the_way_to_the_nearest_one():
    y = X[:, 0] * X[:, 1] > np.median(X[:, 0] * X[:, 1])
    model = LipschitzClassifier(5.0, inputs="unit_norm", **QUICK).fit(X, y)
    logits = model.logits(X)
    chord = np.abs(logits[:, 0] - logits[:, 1]) / (np.sqrt(2) * model.lipschitz_bound_)
    turned = 2 * np.arcsin(chord / 2)  # the angle of the chord; the way to a ray at an angle is its sine
    np.testing.assert_allclose(model.certified_radius(X), np.linalg.norm(X, axis=1) * np.sin(turned), rtol=1e-9)
    np.testing.assert_allclose(model.certified_radius(2 * X), 2 * model.certified_radius(X), rtol=1e-9)


def test_a_wide_bound_begins_with_small_logits():
    model = LipschitzClassifier(1e4, **QUICK | {"max_iter": 1}).fit(X, Y)
    assert model.loss_curve_[0] < 3.0
