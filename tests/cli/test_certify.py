"""``normbench certify`` on files that hold, that lie, and that are no networks."""

import json
import re
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from normbench import LipschitzRegressor
from normbench.certificates import Certificate, stored
from normbench.certificates.certify import TIME_LIMIT
from normbench.certificates.lipsdp import lipsdp
from normbench.certificates.plain import plain
from normbench.cli import certify as command
from normbench.cli import main
from normbench.data import tables
from normbench.errors import DataError
from tests.certificates.networks import gaussian

pytestmark = pytest.mark.quick

WEIGHTS = gaussian(0, 12, 25, 30, 15, 3)
LAYERS = {f"weight_{k}": weight for k, weight in enumerate(WEIGHTS)}
WITNESS = lipsdp(plain(WEIGHTS, output_scale=5.0)).arrays()  # proves 10.85


@pytest.fixture
def call(tmp_path):
    """Store arrays and run the command on the file."""

    def run(arrays, *arguments):
        path = tmp_path / "net.npz"
        np.savez(path, **arrays)
        return CliRunner(env={"COLUMNS": "120"}).invoke(main, ["certify", str(path), *map(str, arguments)])

    return run


def test_a_network_without_a_witness_gets_its_bounds(call):
    result = call(LAYERS)
    assert result.exit_code == 0, result.output
    for kind in ("product", "combettes_pesquet", "eclipse_fast", "rescaled", "lipsdp"):
        assert kind in result.stdout
    assert "<= 2.17016 ||x - x'||" in result.stdout
    assert "by lipsdp" in result.stdout


def test_a_stored_witness_and_a_bound_that_hold(call):
    result = call(LAYERS | WITNESS | {"output_scale": 5.0, "lipschitz": 11.0, "bias_0": np.ones(25)})
    assert result.exit_code == 0, result.output
    assert "The stored witness proves its bound, 10.8508" in result.stdout
    assert "The bound asked for is 11; it holds." in result.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight_1": WEIGHTS[1] * 1.01}, "WRONG"),
        ({"witness_bound": np.array(10.7)}, "WRONG"),
        ({"witness_multipliers_1": WITNESS["witness_multipliers_1"] * 0.99}, "WRONG"),
        ({"witness_multipliers_1": np.ones(3)}, "WRONG.*need"),
        ({"witness_kind": np.array("hearsay")}, "WRONG.*no certificate of kind"),
        ({"witness_status": np.ones(3)}, "WRONG.*witness_status"),
        ({"output_scale": 5.1}, "WRONG"),
        ({"input_scale": 0.99}, "WRONG"),
        ({"lipschitz": 10.0}, "NOT PROVEN: the bound asked for is 10."),
    ],
)
def test_what_does_not_hold_exits_with_1_and_says_why(call, change, words):
    result = call(LAYERS | WITNESS | {"output_scale": 5.0} | change)
    assert result.exit_code == 1
    assert np.any([all(part in line for part in words.split(".*")) for line in result.stdout.splitlines()])


def test_bounds_are_in_the_unit_of_inputs_before_their_map(call):
    maps = {"output_scale": 5.0, "input_scale": 2.5, "input_mean": np.arange(12.0), "model_about": np.array("a table")}
    result = call(LAYERS | WITNESS | maps | {"lipschitz": 5.0})
    assert result.exit_code == 0, result.output
    assert "<= 4.34032 ||x - x'||" in result.stdout  # twice 2.17016
    assert "x stands for" not in result.stdout
    mapped = call(LAYERS | {"input_map": np.array("unit_norm")})
    assert "There x stands for the mapped input, x / ||x||." in mapped.stdout


def test_a_scale_for_each_input_counts_where_it_raises_a_bound_and_where_it_lowers_a_gain(call):
    arrays = {"weight_0": np.diag([3.0, 8.0]), "input_scale": np.array([1.0, 4.0])}
    result = call(arrays, "--format", "json")
    found = json.loads(result.stdout)
    assert found["bound"] == found["bound_over_inputs"] == pytest.approx(8.0)  # the true constant is 3
    assert found["largest_gain"] == pytest.approx(2.0)
    spread = json.loads(call(arrays | {"input_spread": np.array([1.0, 4.0])}, "--format", "json").stdout)
    assert (spread["bound"], spread["largest_gain"]) == (pytest.approx(8.0), pytest.approx(8.0))
    apart = json.loads(call(arrays | {"input_spread": np.array([0.5, 4.0])}, "--format", "json").stdout)
    assert (apart["bound"], apart["bound_over_inputs"]) == (pytest.approx(8.0), pytest.approx(16.0))


def test_the_option_takes_the_place_of_the_files_own_bound(call):
    stored = LAYERS | {"lipschitz": 1.0}
    assert call(stored).exit_code == 1
    assert call(stored, "--lipschitz", 3).exit_code == 0
    assert call(LAYERS, "--lipschitz", 2).exit_code == 1


def test_a_stored_witness_can_prove_what_the_time_limit_does_not_allow(call):
    arrays = LAYERS | WITNESS | {"output_scale": 5.0, "lipschitz": 11.0}
    result = call(arrays, "--time-limit", "1e-6")
    assert result.exit_code == 0
    assert "skipped: about" in result.stdout
    assert "by lipsdp" in result.stdout


def test_the_time_limit_is_that_of_the_function():
    [option] = (parameter for parameter in command.command.params if parameter.name == "time_limit")
    assert option.default == TIME_LIMIT  # the command cannot import it: --help loads no SciPy


def test_json_is_one_strict_object(call):
    result = call(LAYERS | {"output_scale": 5.0}, "--format", "json", "--activation", "maxmin", "--lipschitz", 1)
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    assert result.exit_code == 1
    assert [bound["kind"] for bound in found["bounds"]] == ["product", "rescaled"]
    assert found["holds"] is False
    assert found["bound"] == min(bound["bound"] for bound in found["bounds"])
    huge = call({"weight_0": np.full((2, 2), 1e200), "weight_1": np.full((2, 2), 1e200)}, "--format", "json")
    assert json.loads(huge.stdout, parse_constant=pytest.fail)["bound"] is None


def test_a_constant_network_has_the_bound_0(call):
    result = call({"weight_0": np.zeros((2, 3)), "weight_1": np.ones((1, 2))} | Certificate("constant", 0.0).arrays())
    assert result.exit_code == 0
    assert "<= 0 ||x - x'||" in result.stdout


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "lacks weight_0"),
        ({"weight_1": np.ones((1, 1))}, "lacks weight_0"),
        ({"weight_0": np.ones((1, 1)), "weight_2": np.ones((1, 1))}, "lacks weight_1"),
        ({"weight_0": np.ones(3)}, "weight 0 must have shape"),
        ({"weight_0": np.ones((2, 3)), "weight_1": np.ones((2, 3))}, "must have 2 columns"),
        ({"weight_0": np.array([[np.nan]])}, "not finite"),
        ({"weight_0": np.ones((1, 1)), "output_scael": 2.0}, "output_scael"),
        ({"weight_0": np.ones((1, 1)), "output_scale": np.ones(2)}, "output_scale must be one number that"),
        ({"weight_0": np.ones((1, 1)), "output_scale": np.inf}, "output_scale must be a finite number"),
        ({"weight_0": np.ones((1, 1)), "lipschitz": -1.0}, "lipschitz must be positive"),
        ({"weight_0": np.ones((1, 1)), "input_scale": 0.0}, "input_scale must be positive"),
        ({"weight_0": np.ones((1, 2)), "input_mean": np.ones(1)}, "input_mean must be 2 finite numbers"),
        ({"weight_0": np.ones((1, 2)), "input_scale": np.ones(3)}, "input_scale must be 2 finite numbers"),
        ({"weight_0": np.ones((1, 2)), "input_scale": np.array([1.0, 0.0])}, "input_scale must be positive"),
        ({"weight_0": np.ones((1, 2)), "input_spread": np.ones(2)}, "input_spread needs an input_scale for each"),
        ({"weight_0": np.ones((1, 2)), "input_scale": np.ones(2), "input_spread": -np.ones(2)}, "input_spread must be"),
        ({"weight_0": np.ones((1, 1)), "input_map": np.array("polar")}, "input_map must be affine or unit_norm"),
        ({"weight_0": np.ones((1, 1)), "input_map": np.array("unit_norm"), "input_scale": 2.0}, "of the affine map"),
        *(
            (
                {"weight_0": np.ones((1, 1)), "input_scale": np.array(value)},
                "input_scale must be positive and finite; got",
            )
            for value in (np.inf, np.nan, "1", 1j, True, np.datetime64("2020"))
        ),
        ({"weight_0": np.array([[None]])}, "pickle"),
        ({"weight_0": np.array([[2**53 + 1]])}, "weight 0 has integers of 2"),
        (
            {"weight_0": np.ones((1, 1)), "output_scale": 2**53 + 1},
            "output_scale must be one number that float64",
        ),
        ({"weight_0": np.ones((1, 1)), "bias_0": np.array([-(2**60)])}, "bias_0 must be 1 finite numbers that float64"),
        ({"weight_0": np.ones((1, 1)), "bias_1": np.ones(1)}, "it has bias_1; biases are bias_0 to bias_0"),
        ({"weight_0": np.ones((1, 1)), "bias_x": np.ones(1)}, "it has bias_x; biases are"),
        *(
            [({"weight_0": np.ones((1, 1)), "input_scale": np.ones(1, np.longdouble)}, "that float64 holds")]
            if np.longdouble(1).itemsize > 8
            else []
        ),
    ],
)
def test_a_file_that_is_no_network_is_one_error(call, arrays, words):
    result = call(arrays)
    assert result.exit_code == 1
    assert not result.stdout
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn", "array"])
def test_a_file_that_is_no_npz_is_one_error(content, tmp_path):
    path = tmp_path / "net.npz"
    if content == "array":
        with path.open("wb") as file:
            np.save(file, np.ones(3))
    else:
        path.write_bytes(content)
    result = CliRunner().invoke(main, ["certify", str(path)])
    assert result.exit_code == 1
    assert "net.npz is " in result.stderr


def test_two_arrays_of_one_name_are_refused(tmp_path):
    """Another program would take the other one."""
    path = tmp_path / "twice.npz"
    np.savez(path, weight_0=np.ones((1, 1)))
    with zipfile.ZipFile(path, "a") as file:
        content = file.read("weight_0.npy")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("weight_0.npy", content)
    with pytest.raises(DataError, match="two of its arrays have one name"):
        stored.read(path)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("(1000000000000000,)", "Unable to allocate"),
        ("(99999999999999999999999,)", "too large"),
        ("(4611686018427387904, 4)", "cannot reshape"),
        ("(-4, 3)", "negative"),
        ("(2**3,)", "malformed"),
    ],
)
def test_a_shape_that_no_file_holds_is_one_error(shape, words, tmp_path):
    path = tmp_path / "net.npz"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weight_0.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    result = CliRunner().invoke(main, ["certify", str(path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(rf"net.npz is no NPZ file of arrays: .*{words}", result.stderr)
    for read in (LipschitzRegressor.load, stored.read):
        with pytest.raises(DataError, match=words):
            read(path)
    with pytest.raises(DataError, match=words):
        tables.read([path], inputs=["weight_0"], outputs=["weight_0_1"])


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path):
    assert CliRunner().invoke(main, ["certify", str(tmp_path / "gone.npz")]).exit_code == 2


def test_the_gain_has_as_long_as_the_bounds(call):
    """It was looked for however long that took: five minutes and 3 GB for 784-1024-1024-10, whatever the limit."""
    result = call(LAYERS, "--time-limit", "0.001", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["largest_gain"]) == (0, None)
    wide = {"weight_0": np.ones((2000, 300)), "weight_1": np.ones((300, 2000))}
    said = call(wide, "--time-limit", "1").stdout
    assert "No gain was looked for, below which no bound can be: about " in said
    assert "Raise --time-limit for it." in said
    assert "No bound is below" in call(LAYERS).stdout
