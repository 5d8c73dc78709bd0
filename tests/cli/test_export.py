"""``normbench export``: what it writes, what it prints, and what it refuses in one line."""

import json
from dataclasses import replace

import onnx
import pytest

from normbench.cli.export import command
from normbench.exports import DTYPES, exported, sha256
from tests.cli.calls import call
from tests.exports.networks import CLASSIFIERS, REGRESSORS


@pytest.fixture
def net(tmp_path):
    REGRESSORS["relu"].write(tmp_path / "net.npz")
    return tmp_path / "net.npz"


def test_both_files_are_written_and_certify_knows_their_hash(net, tmp_path):
    result = call("export", net, "--c", tmp_path / "c" / "lift.c", "--onnx", tmp_path / "lift.onnx")
    assert result.exit_code == 0, result.output
    *files, proof = result.stdout.splitlines()
    assert files == [str(tmp_path / name) for name in ("c/lift.c", "c/lift.h", "lift.onnx")]
    bound = exported(REGRESSORS["relu"]).bound
    assert proof == f"Proven for these numbers in float32: ||f(x) - f(x')|| <= {bound!s} ||x - x'||, by product."
    certified = json.loads(call("certify", net, "--format", "json").stdout)
    assert certified["sha256"] == sha256(REGRESSORS["relu"])
    assert certified["sha256"] in (tmp_path / "c" / "lift.h").read_text()
    assert certified["sha256"] in call("certify", net).stdout


def test_the_bound_of_directions_is_said_of_directions(tmp_path):
    CLASSIFIERS["numbers"].write(tmp_path / "net.npz")
    result = call("export", tmp_path / "net.npz", "--onnx", tmp_path / "net.onnx", "--dtype", "float64")
    assert "|| x / ||x|| - x' / ||x'|| ||, by product." in result.stdout
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert {constant.data_type for constant in graph.initializer} <= {onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name what to write: --c NAME.c, --onnx FILE or both."),
        (["--c", "my-net.c", "--onnx", "net.onnx"], 2, "got 'my-net.c'. Example: lift_force.c."),
        (["--c", "net.npz/net.c", "--onnx", "net.onnx"], 1, "net.npz is not a folder."),
        (["--onnx", "net.npz/net.onnx", "--c", "net.c"], 1, "net.npz is not a folder."),
        (["--onnx", "net.npz"], 2, "--onnx net.npz is net.npz, which would be lost. Choose another name."),
        (["--onnx", "./lift.c", "--c", "lift.c"], 2, "--onnx lift.c is lift.c, which would be lost."),
        (["--onnx", "lift.h", "--c", "lift.c"], 2, "--onnx lift.h is lift.h, which would be lost."),
        (["--onnx", "net.onnx", "--dtype", "float16"], 2, "'float16' is not one of 'float32', 'float64'"),
    ],
)
def test_a_wrong_call_is_one_line_and_writes_nothing(arguments, code, words, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("export", "net.npz", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_a_file_whose_certificate_does_not_hold_is_refused(tmp_path):
    network = REGRESSORS["relu"]
    for change, words in (
        ({"output_scale": 12.6}, "Error: the certificate of kind product does not hold"),
        ({"lipschitz": 1e-3}, "and 0.001 was asked for."),
    ):
        replace(network, **change).write(tmp_path / "net.npz")
        result = call("export", tmp_path / "net.npz", "--c", tmp_path / "net.c", "--onnx", tmp_path / "net.onnx")
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_the_dtypes_are_those_of_exports():
    [option] = (parameter for parameter in command.params if parameter.name == "dtype")
    assert (tuple(option.type.choices), option.default) == (DTYPES, DTYPES[0])  # --help loads no NumPy
