"""What users of scikit-learn and pandas do without thinking: fit again, interrupt, copy, change a parameter, save."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.errors import DataError, InvalidArgumentError
from normbench.reference.trainer import ReferenceTrainer
from normbench.running import export
from tests.estimators.tables import QUICK, flights, rings

X, Y = flights(samples=40)
RINGS, NAMES = rings(samples=40)
SHORT = QUICK | {"hidden": (4,), "max_iter": 3}


@pytest.fixture(autouse=True)
def _closed_forms_alone(monkeypatch):
    monkeypatch.setattr(export, "SECONDS", 1e-9)  # nothing here asks how tight a bound is


def interrupted(trainer, steps):
    raise KeyboardInterrupt  # as a signal does, which pytest-xdist has another answer for


@pytest.mark.parametrize("kind", [LipschitzRegressor, LipschitzClassifier])
@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_a_fit_that_is_interrupted_or_refused_leaves_nothing_that_predicts(kind, before, monkeypatch):
    """It had the classes of the new table above the network of the old one."""
    other = np.where(NAMES == "near", "A", "B") if kind is LipschitzClassifier else X[:, 0]
    model = kind(5.0, **SHORT)
    parameters = model.get_params()

    def start():
        return model.fit(RINGS, NAMES if kind is LipschitzClassifier else RINGS) if before else model

    with pytest.raises(InvalidArgumentError, match="sample_weight"):
        start().fit(RINGS, other, sample_weight=-np.ones(40))
    left = [vars(model)]
    start()
    with monkeypatch.context() as patch:
        patch.setattr(ReferenceTrainer, "advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(RINGS, other)
    left.append(vars(model))
    for found in left:
        assert not [name for name in found if name.endswith("_")]
    with pytest.raises(NotFittedError):
        model.predict(RINGS)
    assert model.get_params() == parameters
    model.fit(RINGS, other).verify()


def test_the_same_table_gives_the_same_network_however_it_lies_in_memory():
    """Sums over rows came out otherwise in the last digit."""
    model = LipschitzRegressor(5.0, **SHORT).fit(X, Y)
    table = pd.DataFrame(X, columns=list("abcd"))
    for x, y in ((np.asfortranarray(X), np.asfortranarray(Y)), (X.repeat(2, axis=1)[:, ::2], Y), (table, Y)):
        other = LipschitzRegressor(5.0, **SHORT).fit(x, y)
        for one, same in zip(model.network_.weights, other.network_.weights, strict=True):
            np.testing.assert_array_equal(one, same)
        np.testing.assert_array_equal(other.predict(x), model.predict(X))
    for change in (lambda a: a.astype("g"), lambda a: np.broadcast_to(a, a.shape)):  # longer, and read-only
        np.testing.assert_array_equal(LipschitzRegressor(5.0, **SHORT).fit(change(X), Y).predict(X), model.predict(X))


def test_what_was_changed_after_the_fit_is_not_stored_as_if_it_had_trained(tmp_path):
    """The file said lipschitz 0.1 of a network that proves 5, and could not be loaded; or 100, and could."""
    for name, value in (("lipschitz", 0.1), ("lipschitz", 100.0), ("inputs", "unit_norm"), ("hidden", [4])):
        model = LipschitzRegressor(5.0, **SHORT).fit(X, Y).set_params(**{name: value})
        if name == "hidden":  # the same widths
            model.save(tmp_path / "net.npz")
            continue
        with pytest.raises(InvalidArgumentError, match=f"parameter {name} was set to {value!r} after the fit with "):
            model.save(tmp_path / "wrong.npz")
    loaded = LipschitzRegressor.load(tmp_path / "net.npz").set_params(lipschitz=6.0)
    with pytest.raises(InvalidArgumentError, match=r"lipschitz was set to 6.0 after the fit with 5.0"):
        loaded.save(tmp_path / "wrong.npz")
    loaded.set_params(lipschitz=5.0).save(tmp_path / "again.npz")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["again.npz", "net.npz"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_numbers_of_numpy_are_parameters_that_can_be_stored(tmp_path):
    given = {"max_iter": np.int64(3), "early_stopping": np.bool_(True), "validation_fraction": np.float32(0.5)}
    given |= {"dtype": np.str_("float64"), "random_state": np.uint8(3), "tol": np.float16(0.0)}
    model = LipschitzRegressor(np.float32(5.0), **SHORT | given).fit(X, Y)
    model.save(tmp_path / "net.npz")
    found = LipschitzRegressor.load(tmp_path / "net.npz")
    assert found.get_params() == model.get_params()
    np.testing.assert_allclose(found.predict(X), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("given", [[], "", 0, ()])
def test_hyperparameters_that_map_nothing_are_refused(given):
    with pytest.raises(InvalidArgumentError, match="hyperparameters must map names to values; got"):
        LipschitzRegressor(5.0, **SHORT, hyperparameters=given).fit(X, Y)


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "bool[pyarrow]", "category", "string"])
def test_classes_of_a_data_frame_keep_their_type(dtype):
    """Truth values and whole numbers of pandas came back as floats."""
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    names = {"category": ["a", "b"], "string": ["a", "b"], "Int64": [1, 2]}.get(dtype, [False, True])
    found = LipschitzClassifier(5.0, **SHORT).fit(RINGS, pd.Series(names * 20, dtype=dtype)).predict(RINGS)
    assert {type(each) for each in found.tolist()} == {type(names[0])}
    assert set(found.tolist()) <= set(names)


@pytest.mark.parametrize("other", [None, 1, np.nan])
def test_classes_of_several_types_are_refused(other):
    kind = type(other).__name__
    with pytest.raises(DataError, match="y has classes of several types, " + " and ".join(sorted([kind, "str"]))):
        LipschitzClassifier(5.0, **SHORT).fit(RINGS, np.array(["a", other] * 20, dtype=object))


TIMES = np.arange(40).astype("datetime64[D]")


@pytest.mark.parametrize("times", [TIMES, TIMES - TIMES[0]], ids=["dates", "spans"])
def test_times_that_hide_in_lists_and_objects_are_no_numbers(times):
    """NumPy takes a date for the days since 1970, and a span of time for its number of whatever unit it has."""
    model, held = LipschitzRegressor(5.0, **SHORT), np.array([[time] for time in times], dtype=object)
    for x, y in (([[time] for time in times], Y), (held, Y), (X, list(times)), (X, held[:, 0])):
        with pytest.raises(DataError, match="holds dates or spans of time"):
            model.fit(x, y)
    with pytest.raises(InvalidArgumentError, match="sample_weight must be numbers"):
        model.fit(X, Y, times)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tools_of_scikit_learn_that_copy_weigh_group_and_spread(tmp_path):
    table = pd.DataFrame(RINGS, columns=["a", "b"]).assign(side=np.where(RINGS[:, 0] > 5, "left", "right"))
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b"]), ("words", OneHotEncoder(sparse_output=False), ["side"])]
    ).set_output(transform="pandas")
    whole = make_pipeline(columns, LipschitzClassifier(5.0, **QUICK))
    assert whole.fit(table, NAMES).score(table, NAMES) > 0.6
    assert list(whole[-1].feature_names_in_)[-1] == "words__side_right"
    groups = np.arange(40) // 10
    options = {"groups": groups, "cv": GroupKFold(2), "method": "predict_proba"}
    shares = cross_val_predict(LipschitzClassifier(5.0, **SHORT), RINGS, NAMES, **options)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    with joblib.parallel_backend("threading"):
        grid = {"lipschitz": np.array([0.5, 60.0]), "early_stopping": np.array([False, True])}
        search = GridSearchCV(LipschitzRegressor(**SHORT), grid, cv=2, n_jobs=2).fit(X, Y)
    search.best_estimator_.save(tmp_path / "best.npz")
    bag = BaggingClassifier(LipschitzClassifier(5.0, **SHORT), n_estimators=2, random_state=0)
    bag.fit(RINGS, NAMES, sample_weight=np.linspace(0.1, 2, 40))
    model = LipschitzRegressor(5.0, **SHORT).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), mapped):
        same.verify()
        np.testing.assert_array_equal(same.predict(X), model.predict(X))
        same.save(tmp_path / "same.npz")


def test_a_lazy_frame_is_one_line():
    """NumPy makes one object of it, and scikit-learn says that it is a sequence."""

    class LazyFrame:
        def collect(self):
            return X

    for x, y in ((LazyFrame(), Y), (X, LazyFrame())):
        with pytest.raises(
            DataError, match=r"^[Xy] is a LazyFrame, whose rows are not there yet\. Give what collect\(\)"
        ):
            LipschitzRegressor(5.0, **SHORT).fit(x, y)
    with pytest.raises(DataError, match="X is a LazyFrame"):
        LipschitzRegressor(5.0, **SHORT).fit(X, Y).predict(LazyFrame())
