"""What cannot be fitted is one error that says what to change."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pytest

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.backends.trajectory import Status
from normbench.errors import DataError, InvalidArgumentError, TrainingError
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
        *(
            ({"random_state": value}, "random_state must be an integer of at least 0, .* got")
            for value in ("seed", -1, 1.5, np.random.default_rng(0))
        ),
        *(({"optimiser": value}, f"no optimiser {value}") for value in (None, 3)),
        *(({"parametrisation": value}, "no parametrisation 3") for value in (3,)),
        *(({"backend": value}, "no backend ") for value in (3, ["torch"])),
        *(({"hyperparameters": value}, "hyperparameters must map names to values") for value in ("history=3", [1])),
        ({"hyperparameters": {3: 4}}, "no hyperparameter 3"),
        *(
            ({"optimiser": key}, f"{key} is not implemented on backend 'reference'; choose")
            for key in ("lbfgs", "dog", "torch.optim:Adam", "optax:sgd")
        ),
        *(
            ({"early_stopping": True, "validation_fraction": share}, "30 of 30 rows.* and two at least have to train")
            for share in (0.97, 0.999)
        ),
        (
            {"lipschitz": 1e-300},
            "lipschitz=1e-300 lets the outputs move by .* float64 does not hold the squares",
        ),
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


# columns beside numbers that scikit-learn would convert in silence, or refuse without their names
DATES = pd.Series(pd.date_range("2026", periods=30))
TEXTS = pd.Series(["1", "dry"] * 15)
COLUMNS = {
    "dates": DATES,
    "zoned": DATES.dt.tz_localize("UTC"),
    "spans": DATES - DATES[0],
    "texts": TEXTS,
    "categories": TEXTS.astype("category"),
    "strings": TEXTS.astype("string"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_is_no_number_is_named(kind):
    column = COLUMNS[kind]
    words = "'dry', which is no number" if column.dtype.kind == "O" else "dates or spans of time"
    for table in (pd.DataFrame({"a": X[:, 0], kind: column}), pd.DataFrame({kind: column})):
        for model in (LipschitzRegressor(**QUICK), LipschitzClassifier(**QUICK)):
            with pytest.raises(DataError, match=f"column '{kind}' of X holds {words}"):
                model.fit(table, np.arange(30) % 2)
    fitted = LipschitzRegressor(**QUICK | {"max_iter": 1}).fit(pd.DataFrame({"a": X[:, 0], kind: X[:, 1]}), Y)
    with pytest.raises(DataError, match=f"column '{kind}' of X holds {words}"):
        fitted.predict(table.assign(a=X[:, 0]))
    with pytest.raises(DataError, match=f"^y holds {words}"):
        LipschitzRegressor(**QUICK).fit(X, column)


def arrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


def polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


@pytest.mark.parametrize("frame", [arrow, polars])
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([datetime(2026, 1, 1) + timedelta(days=k) for k in range(30)], "dates or spans of time"),
        ([date(2026, 1, 1) + timedelta(days=k) for k in range(30)], "dates or spans of time"),
        ([timedelta(days=k) for k in range(30)], "dates or spans of time"),
        ([None, *[time(1, k) for k in range(29)]], "'01:00:00', which is no number"),
        ([None, *["wet"] * 29], "'wet', which is no number"),
    ],
    ids=["datetimes", "dates", "spans", "times", "texts"],
)
def test_a_column_that_is_no_number_is_named_whatever_the_frame(frame, cells, words):
    for table in (frame({"a": X[:, 0], "b": cells}), frame({"b": cells})):
        for model in (LipschitzRegressor(**QUICK), LipschitzClassifier(**QUICK)):
            with pytest.raises(DataError, match=f"column 'b' of X holds {words}"):
                model.fit(table, np.arange(30) % 2)
    if None not in cells:
        with pytest.raises(DataError, match=f"^y holds {words}"):
            LipschitzRegressor(**QUICK).fit(X, frame({"b": cells})["b"])
    numbers = frame({"a": X[:, 0], "b": [True, False] * 15, "c": ["1", "2"] * 15})
    assert LipschitzRegressor(**QUICK | {"max_iter": 1}).fit(numbers, Y).n_features_in_ == 3


def test_masked_cells_and_arrays_of_dates_or_texts_are_refused():
    for table in (DATES.to_numpy(), DATES.to_numpy() - DATES.to_numpy()[0]):
        with pytest.raises(DataError, match="X holds dates or spans"):
            LipschitzRegressor(**QUICK).fit(table[:, None], Y)
        with pytest.raises(DataError, match="y holds dates or spans"):
            LipschitzRegressor(**QUICK).fit(X, table)
    with pytest.raises(DataError, match=r"y must be numbers: .*For classes there is LipschitzClassifier"):
        LipschitzRegressor(**QUICK).fit(X, np.array(["a", "b"] * 15))
    masked = np.ma.masked_greater(X, 100)
    for model in (LipschitzRegressor(**QUICK), LipschitzClassifier(**QUICK)):
        with pytest.raises(DataError, match=f"X has masked cells, {masked.mask.sum()} of {X.size}"):
            model.fit(masked, np.arange(30) % 2)
    with pytest.raises(DataError, match="y has masked cells, 1 of 30"):
        LipschitzRegressor(**QUICK).fit(X, np.ma.array(Y[:, 0], mask=np.arange(30) == 3))
    assert LipschitzRegressor(**QUICK | {"max_iter": 1}).fit(np.ma.array(X, mask=False), Y).n_iter_ == 1


def test_text_and_categories_of_numbers_are_numbers():
    table = pd.DataFrame({"a": X[:, 0], "b": pd.Series(["1", "2"] * 15), "c": pd.Categorical([1, 2] * 15)})
    found = LipschitzRegressor(**QUICK | {"max_iter": 1}).fit(table, Y)
    assert np.array_equal(found.predict(table), found.predict(table.astype(float)))


@pytest.mark.parametrize(
    ("labels", "share", "words"),
    [
        (np.r_[np.zeros(29), 1], 0.5, "two rows of every class, .* and 1 of 2 classes have one"),
        (np.arange(30) % 10, 0.1, "holds out 3 of 30 rows.* one of each of 10 classes"),
        (np.arange(30) % 10, 0.8, "holds out 24 of 30 rows.* one of each of 10 classes"),
    ],
)
def test_too_few_rows_of_a_class_to_hold_out_is_said_so(labels, share, words):
    model = LipschitzClassifier(**QUICK, early_stopping=True, validation_fraction=share)
    with pytest.raises(InvalidArgumentError, match=words):
        model.fit(X, labels)


@pytest.mark.parametrize("weight", [["1"] * 30, np.ones(30) + 0j, np.array([b"1"] * 30)])
def test_weights_of_text_or_complex_numbers_are_refused(weight):
    with pytest.raises(InvalidArgumentError, match="sample_weight must be numbers, one a row: they are"):
        LipschitzRegressor(**QUICK).fit(X, Y, weight)


def test_weights_that_vanish_beside_others_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"sample_weight goes from 1e-300 to 1e\+300, more than float64"):
        LipschitzRegressor(**QUICK).fit(X, Y, np.r_[1e300, np.full(29, 1e-300)])


@pytest.mark.parametrize("bound", [1e-140, 1e-20, 1e100, 1e200, 1e300])
def test_a_classifier_keeps_every_bound_and_learns_at_wide_ones(bound):
    """At 1e200 the weights were lost, and every row was of one class."""
    x, y = rings(samples=60)
    model = LipschitzClassifier(bound, **QUICK | {"dtype": "float64"}).fit(x, y)
    model.verify()
    assert 0.0 < model.lipschitz_bound_ <= bound
    assert bound < 1 or model.score(x, y) > 0.8


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
