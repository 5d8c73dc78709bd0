"""Exported ONNX models give what the network gives, in a runtime of others."""

import builtins
import json

import numpy as np
import onnx
import onnxruntime
import pytest

import normbench
from normbench import exports
from normbench.errors import BackendUnavailableError, InvalidArgumentError, OutputError
from tests.exports.networks import CLASSIFIERS, NAMES, REGRESSORS, bare, of_all_lengths, outputs, samples

CLOSE = {"float32": 1e-5, "float64": 1e-12}  # of the size of the outputs
NEWEST_OF_THE_RUNTIME = 23


def ran(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": x}), strict=True))


@pytest.mark.parametrize("dtype", exports.DTYPES)
@pytest.mark.parametrize("name", [*REGRESSORS, *CLASSIFIERS])
def test_a_model_gives_what_the_network_gives_for_any_number_of_samples(name, dtype):
    network = REGRESSORS.get(name) or CLASSIFIERS[name]
    model = exports.to_onnx(exports.exported(network, dtype))
    all_samples = samples(dtype, network)
    for x in (all_samples, all_samples[:1], all_samples[:0]):
        found, wanted = ran(model, x.astype(dtype)), outputs(network, x)
        values = found["y"] if name in REGRESSORS else found["logits"]
        assert values.dtype == dtype
        np.testing.assert_allclose(values, wanted, rtol=0, atol=CLOSE[dtype] * abs(wanted).max(initial=0.0))
        if name in CLASSIFIERS:
            np.testing.assert_array_equal(found["label"], network.model["model_classes"][wanted.argmax(axis=1)])
        assert set(found) == ({"y"} if name in REGRESSORS else {"logits", "label"})


@pytest.mark.parametrize("opset", [13, 17, 18, NEWEST_OF_THE_RUNTIME])
def test_every_opset_has_the_same_graph(opset):
    network = CLASSIFIERS["numbers"]
    model = exports.to_onnx(exports.exported(network), opset=opset)
    assert [entry.version for entry in model.opset_import] == [opset]
    x = samples("float32")
    np.testing.assert_allclose(ran(model, x.astype("float32"))["logits"], outputs(network, x), atol=1e-5)


def test_the_length_of_an_input_neither_overflows_nor_vanishes_and_is_not_zero():
    model, x = exports.to_onnx(exports.exported(REGRESSORS["unit norm"])), of_all_lengths()
    wanted = outputs(REGRESSORS["unit norm"], x)
    np.testing.assert_allclose(ran(model, x.astype("float32"))["y"], wanted, atol=1e-5 * abs(wanted).max())
    x = samples()[:2] * [[1.0], [0.0]]
    assert np.isnan(ran(model, x.astype("float32"))["y"]).all(axis=1).tolist() == [False, True]


def test_the_metadata_say_what_is_proven_and_of_what(tmp_path):
    network = CLASSIFIERS["text"]
    found = exports.exported(network)
    exports.to_onnx(found, tmp_path / "net.onnx")
    stored = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(stored, full_check=True)
    said = {entry.key: entry.value for entry in stored.metadata_props}
    assert float(said.pop("lipschitz_bound")) == found.certificate.bound
    assert [json.loads(said.pop(key)) for key in ("feature_names", "classes")] == [
        list(NAMES),
        ["far", "middle", "near */"],
    ]
    assert said == {
        "certificate": "product",
        "input_map": "affine",
        "normbench": normbench.__version__,
        "sha256": exports.sha256(network),
    }
    assert (stored.producer_name, stored.producer_version) == ("normbench", normbench.__version__)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("1.onnx", "2.onnx"):
        exports.to_onnx(exports.exported(bare()), tmp_path / name)
    assert (tmp_path / "1.onnx").read_bytes() == (tmp_path / "2.onnx").read_bytes()


@pytest.mark.parametrize("opset", [12, onnx.defs.onnx_opset_version() + 1, 17.0, "17", None])
def test_an_opset_that_is_none_is_one_error(opset):
    with pytest.raises(InvalidArgumentError, match=f"opset must be an integer from 13 to .*; got {opset!r}"):
        exports.to_onnx(exports.exported(bare()), opset=opset)


def test_what_is_missing_or_cannot_be_written_is_one_error(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="Is a directory"):
        exports.to_onnx(exports.exported(bare()), tmp_path)
    whole = builtins.__import__

    def without_onnx(name, *rest, **named):
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return whole(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(BackendUnavailableError, match=r'pip install "\.\[onnx\]"'):
        exports.to_onnx(exports.exported(bare()))
