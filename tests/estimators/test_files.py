"""An estimator outlives its process in one file, which normbench certify checks without it."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.cli import main
from normbench.errors import CertificateError, DataError, InvalidArgumentError
from tests.estimators.tables import QUICK, flights, rings

X, Y = flights()


def fitted(kind):
    if kind is LipschitzClassifier:
        x, y = rings()
        return kind(5.0, **QUICK).fit(pd.DataFrame(x, columns=["east", "north"]), y.astype(object)), x
    return kind(20.0, hyperparameters={"history": 5}, **QUICK).fit(X, Y[:, 0]), X


@pytest.mark.parametrize("kind", [LipschitzRegressor, LipschitzClassifier])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_what_is_loaded_is_what_was_saved(kind, tmp_path):
    model, x = fitted(kind)
    model.save(tmp_path / "net.npz")
    found = kind.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(found.predict(x), model.predict(x))
    assert found.get_params() == model.get_params()
    assert (found.lipschitz_bound_, found.n_iter_, found.provenance_) == (
        model.lipschitz_bound_,
        model.n_iter_,
        model.provenance_,
    )
    np.testing.assert_array_equal(found.loss_curve_, model.loss_curve_)
    found.verify()
    found.save(tmp_path / "again.npz")
    first, again = (np.load(tmp_path / name) for name in ("net.npz", "again.npz"))
    assert set(first) == set(again)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    if kind is LipschitzClassifier:
        np.testing.assert_array_equal(found.decision_function(x), model.decision_function(x))
        assert list(found.feature_names_in_) == ["east", "north"]


def test_certify_proves_the_bound_in_the_units_of_the_table(tmp_path):
    model, _ = fitted(LipschitzRegressor)
    path = tmp_path / "net.npz"
    model.save(path)
    result = CliRunner().invoke(main, ["certify", str(path)])
    assert result.exit_code == 0, result.output
    assert "The bound asked for is 20; it holds." in result.stdout
    arrays = dict(np.load(path))
    for change in ({"weight_1": arrays["weight_1"] * 1.001}, {"input_scale": arrays["input_scale"] / 10}):
        np.savez(path, **arrays | change)
        assert CliRunner().invoke(main, ["certify", str(path)]).exit_code == 1
        with pytest.raises(CertificateError, match="does not hold"):
            LipschitzRegressor.load(path)


def test_what_made_a_network_is_said():
    first, again, other = (LipschitzRegressor(20.0, **QUICK).fit(x, Y).provenance_ for x in (X, X.copy(), X + 1e-9))
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {"data_sha256"}
    assert (first["backend"], first["seed"], first["samples"], first["numpy"]) == (
        "reference",
        "0",
        str(len(X)),
        np.__version__,
    )


def test_a_file_of_something_else_is_one_error(tmp_path):
    model, _ = fitted(LipschitzRegressor)
    model.save(tmp_path / "net.npz")
    with pytest.raises(DataError, match="holds a LipschitzRegressor, no LipschitzClassifier"):
        LipschitzClassifier.load(tmp_path / "net.npz")
    np.savez(tmp_path / "plain.npz", weight_0=np.ones((1, 1)))
    with pytest.raises(DataError, match="holds a network and no LipschitzRegressor"):
        LipschitzRegressor.load(tmp_path / "plain.npz")
    for path in (3, None, b"net.npz"):
        with pytest.raises(InvalidArgumentError, match=r"path must be a path, as text or a pathlib\.Path; got"):
            LipschitzRegressor.load(path)
        with pytest.raises(InvalidArgumentError, match="path must be a path"):
            model.save(path)
    model.hyperparameters = {"history": object()}
    with pytest.raises(InvalidArgumentError, match="parameter hyperparameters cannot be stored"):
        model.save(tmp_path / "never.npz")


@pytest.mark.parametrize(
    ("kind", "change", "error", "words"),
    [
        (LipschitzRegressor, {"activation": "tanh"}, DataError, "its activation is tanh"),
        (LipschitzRegressor, {"model_feature_names": np.array(["a"])}, DataError, "1 feature names for 4 columns"),
        (LipschitzRegressor, {"y_dimensions": None}, DataError, "y has None dimensions for 1 outputs"),
        (LipschitzRegressor, {"y_dimensions": 3}, DataError, "y has 3 dimensions"),
        (LipschitzRegressor, {"lipschitz": 1e-3}, CertificateError, "is proven, and lipschitz is 0.001"),
        (LipschitzClassifier, {"model_classes": np.array(["a"])}, DataError, "1 classes for 3 outputs"),
        (LipschitzClassifier, {"model_classes": None}, DataError, "0 classes for 3 outputs"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(kind, change, error, words, tmp_path):
    """A file of another activation was loaded, verified, and predicted with ReLUs."""
    model, _ = fitted(kind)
    path = tmp_path / "net.npz"
    model.save(path)
    arrays = dict(np.load(path))
    about = json.loads(str(arrays["model_about"]))
    for name, value in change.items():
        if name == "y_dimensions":
            about[name] = value
        elif name == "lipschitz":
            about["parameters"][name] = value
        elif value is None:
            del arrays[name]
        else:
            arrays[name] = np.array(value)
    np.savez(path, **arrays | {"model_about": np.array(json.dumps(about))})
    with pytest.raises(error, match=words):
        kind.load(path)
