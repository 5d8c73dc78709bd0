"""What an estimator predicts is what its exports give, and what its file gives is the same bytes."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from normbench import LipschitzClassifier, LipschitzRegressor, exports
from normbench.certificates.stored import read
from normbench.errors import CertificateError
from tests.estimators.tables import QUICK, flights, rings
from tests.exports.compiled import Library, needs_compiler

FEW = QUICK | {"max_iter": 5}
X, Y = flights(samples=60)


@pytest.fixture(scope="module", params=["affine", "standardised", "unit_norm"])
def regressor(request):
    return LipschitzRegressor(20.0, inputs=request.param, **FEW).fit(X, Y)


@pytest.fixture(scope="module", params=["affine", "standardised", "unit_norm"])
def classifier(request):
    x, y = rings(samples=60)
    return LipschitzClassifier(5.0, inputs=request.param, **FEW).fit(pd.DataFrame(x, columns=["east", "north"]), y)


@needs_compiler
def test_a_regressor_leaves_as_it_predicts(regressor, tmp_path):
    wanted, most = regressor.predict(X), np.abs(Y).max()
    source, _ = regressor.to_c(tmp_path / "net.c", "float64")
    np.testing.assert_allclose(Library(source, "float64").values("predict", X, 2), wanted, atol=1e-12 * most)
    session = onnxruntime.InferenceSession(regressor.to_onnx(dtype="float64").SerializeToString())
    np.testing.assert_allclose(session.run(["y"], {"X": X})[0], wanted, atol=1e-12 * most)
    apply, params = regressor.to_jax()
    np.testing.assert_allclose(apply(params, X.astype(np.float32)), wanted, atol=1e-5 * most)


@needs_compiler
def test_a_classifier_leaves_with_its_classes_and_radii(classifier, tmp_path):
    table = pd.DataFrame(rings(samples=60)[0], columns=["east", "north"])
    x = table.to_numpy()
    source, header = classifier.to_c(tmp_path / "net.c", "float64")
    found = Library(source, "float64")
    np.testing.assert_allclose(found.values("logits", x, 3), classifier.logits(table), atol=1e-12)
    np.testing.assert_array_equal(
        classifier.classes_[found.numbers("predict", x, integer=True)], classifier.predict(table)
    )
    np.testing.assert_allclose(
        found.numbers("certified_radius", x), classifier.certified_radius(table), rtol=1e-6, atol=1e-12
    )
    assert '"east"' in header.read_text()
    session = onnxruntime.InferenceSession(classifier.to_onnx().SerializeToString())
    labels = session.run(["label"], {"X": x.astype(np.float32)})[0]
    assert (labels == classifier.predict(table)).mean() > 0.95  # where two logits are equal in float32, either will do


def test_the_file_of_an_estimator_gives_the_same_bytes(classifier, tmp_path):
    classifier.save(tmp_path / "net.npz")
    stored = exports.exported(read(tmp_path / "net.npz"))
    for folder, files in (
        ("estimator", classifier.to_c(tmp_path / "estimator" / "net.c")),
        ("file", exports.to_c(stored, tmp_path / "file" / "net.c")),
    ):
        assert [file.parent.name for file in files] == [folder] * 2
    classifier.to_onnx(tmp_path / "estimator" / "net.onnx")
    exports.to_onnx(stored, tmp_path / "file" / "net.onnx")
    for name in ("net.c", "net.h", "net.onnx"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("estimator", "file"))
        assert first == second


def test_a_network_that_was_changed_is_not_exported(tmp_path):
    model = LipschitzRegressor(20.0, **FEW).fit(X, Y)
    model.network_.weights[0][0, 0] += 1.0
    for export in (lambda: model.to_c(tmp_path / "net.c"), lambda: model.to_onnx(tmp_path / "net.onnx")):
        with pytest.raises(CertificateError, match="does not hold"):
            export()
    assert list(tmp_path.iterdir()) == []
