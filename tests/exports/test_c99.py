"""Exported C compiles without a warning as C99 and as C++, and gives what the network gives."""

import os
import re
import subprocess

import numpy as np
import pytest

from normbench import exports
from normbench.errors import InvalidArgumentError, OutputError
from tests.exports.compiled import STRICT, Library, needs_compiler
from tests.exports.networks import (
    CLASSES,
    CLASSIFIERS,
    INPUTS,
    MEAN,
    REGRESSORS,
    UNIT,
    bare,
    made,
    of_all_lengths,
    outputs,
    radii,
    samples,
)

CLOSE = {"float32": 1e-6, "float64": 1e-14}  # of the size of the outputs


def library(folder, network, dtype):
    source, header = exports.to_c(exports.exported(network, dtype), folder / "net.c")
    return Library(source, dtype), source, header


@needs_compiler
@pytest.mark.parametrize("dtype", exports.DTYPES)
@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_in_c_gives_what_the_network_gives(name, dtype, tmp_path):
    net, *_ = library(tmp_path, REGRESSORS[name], dtype)
    x = samples(dtype, REGRESSORS[name])
    wanted = outputs(REGRESSORS[name], x)
    np.testing.assert_allclose(net.values("predict", x, CLASSES), wanted, rtol=0, atol=CLOSE[dtype] * abs(wanted).max())
    np.testing.assert_array_equal(net.in_place("predict", x[0])[:CLASSES], net.values("predict", x[:1], CLASSES)[0])


@needs_compiler
@pytest.mark.parametrize("dtype", exports.DTYPES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_in_c_says_its_class_and_how_far_it_holds(name, dtype, tmp_path):
    network = CLASSIFIERS[name]
    net, *_ = library(tmp_path, network, dtype)
    x = samples(dtype)
    wanted, close = outputs(network, x), CLOSE[dtype]
    np.testing.assert_allclose(net.values("logits", x, CLASSES), wanted, rtol=0, atol=close * abs(wanted).max())
    np.testing.assert_array_equal(net.numbers("predict", x, integer=True), wanted.argmax(axis=1))
    found, certified = net.numbers("certified_radius", x), radii(network, x)
    np.testing.assert_allclose(found, certified, rtol=20 * close, atol=charged(network, x, dtype))
    assert (found < certified).all() or name.startswith("constant")


def charged(network, x, dtype):
    """What a radius may be smaller by at most for the roundings behind it; ||z||_1 <= 2 ||z|| of four inputs."""
    margin = exports.exported(network, dtype).class_margin
    if not margin.steepest:
        return 0.0
    unit = network.input_map == "unit_norm"
    size = (
        1.0
        if unit
        else 2.0 * np.linalg.norm((x - (network.input_mean is not None) * MEAN) / network.input_scale, axis=1).max()
    )
    return (margin.part * size + margin.rest) / margin.steepest * (np.linalg.norm(x, axis=1).max() if unit else 1.0)


@needs_compiler
def test_a_margin_that_rounding_may_have_made_is_none(tmp_path):
    """The weights of two classes are one rounding of float32 apart."""
    rng = np.random.default_rng(0)
    row, sign = rng.normal(size=INPUTS), np.array([[1.0], [1.0 + 2.0**-23], [-9.0]])
    weights = (np.diag(row), (sign * np.ones((CLASSES, INPUTS))))
    network = made(bias=False, weights=weights, input_mean=None, model=CLASSIFIERS["booleans"].model)
    net, *_ = library(tmp_path, network, "float32")
    x = abs(samples("float32")) * np.sign(row)
    logits = net.values("logits", x, CLASSES)
    assert (logits[:, 1] > logits[:, 0]).any()
    assert not np.any(net.numbers("certified_radius", x))


@needs_compiler
@pytest.mark.parametrize("name", [*REGRESSORS, *CLASSIFIERS])
def test_it_is_cpp_as_well(name, tmp_path):
    network = REGRESSORS.get(name) or CLASSIFIERS[name]
    source, _ = exports.to_c(exports.exported(network), tmp_path / "net.c")
    compiler = os.environ.get("CXX", "c++")
    flags = ["-x", "c++", "-std=c++11", *STRICT, "-fsyntax-only"]
    subprocess.run([*compiler.split(), *flags, source], check=True)


@needs_compiler
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "maxmin"])
def test_what_is_no_number_is_not_hidden(activation, tmp_path):
    """An activation that compares could turn NaN into 0, and a controller would trust it."""
    network = made(5, 6, activation=activation, model=CLASSIFIERS["numbers"].model)
    net, *_ = library(tmp_path, network, "float32")
    x = samples()[:1] * [1.0, 1.0, np.nan, 1.0]
    assert np.isnan(net.values("logits", x, CLASSES)).all()
    assert net.numbers("predict", x, integer=True) == [-1]
    assert net.numbers("certified_radius", x) == [0.0]


@needs_compiler
def test_the_length_of_an_input_neither_overflows_nor_vanishes(tmp_path):
    network = CLASSIFIERS["numbers"]
    net, *_ = library(tmp_path, network, "float32")
    x = of_all_lengths()
    np.testing.assert_allclose(net.values("logits", x, CLASSES), outputs(network, x), atol=1e-5)
    np.testing.assert_allclose(net.numbers("certified_radius", x), radii(network, x), rtol=2e-2)
    nowhere = np.zeros((1, 4))
    assert net.numbers("predict", nowhere, integer=True) == [-1]
    assert net.numbers("certified_radius", nowhere) == [0.0]


def test_the_header_says_what_is_proven_and_of_what(tmp_path):
    network = CLASSIFIERS["text"]
    found = exports.exported(network)
    _, header = exports.to_c(found, tmp_path / "land_it.c")
    text = header.read_text("ascii")
    for words in (
        f"#define LAND_IT_INPUTS 4\n#define LAND_IT_CLASSES 3\n#define LAND_IT_LIPSCHITZ {found.bound!s}f\n",
        exports.sha256(network),
        "a certificate of kind product",
        r'   0  "speed \"x\" * / m/s"',
        r'   1  "h\u00f6he\n?"',
        '   2  "near * /"',
    ):
        assert words in text
    _, header = exports.to_c(exports.exported(REGRESSORS["columns"]), tmp_path / "columns.c")
    assert "COLUMNS_LIPSCHITZ || (x - x') / spread || for all" in header.read_text()
    assert '   3  "pwm 2"  spread 2\n' in header.read_text()
    assert float(np.float32(re.search(r"LIPSCHITZ (\S+)f\n", text)[1])) >= found.certificate.bound
    assert text.count("*/") == text.count("/*")


def test_the_memory_that_the_header_says_is_that_of_the_source(tmp_path):
    for network in (made(5, 9, 7), bare(), made(3, model=CLASSIFIERS["numbers"].model, **UNIT), made()):
        for dtype, size in (("float32", 4), ("float64", 8)):
            source, header = exports.to_c(exports.exported(network, dtype), tmp_path / "net.c")
            text = source.read_text()
            [constants, stack] = map(int, re.search(r"Memory: (\d+) .* (\d+) bytes", header.read_text()).groups())
            assert constants == size * sum(map(int, re.findall(r"static const \w+ \w+\[(\d+)\]", text)))
            own = re.findall(r"\b(?:a|b)\[(\d+)\](?=[,;])", text)
            more = (CLASSES if network.model else 0) + (4 if "chord" in text else 0)
            assert stack == size * (sum(map(int, own)) + more)


def test_the_same_network_gives_the_same_bytes_and_its_numbers_read_back(tmp_path):
    network = REGRESSORS["relu"]
    for dtype in exports.DTYPES:
        first, again = (exports.to_c(exports.exported(network, dtype), tmp_path / f / "net.c") for f in ("1", "2"))
        assert [file.read_bytes() for file in first] == [file.read_bytes() for file in again]
        [weights] = re.findall(r"weight_1\[\d+\] = \{(.*?)\}", first[0].read_text(), re.DOTALL)
        read = np.array([np.dtype(dtype).type(word.strip("f\n ")) for word in weights.split(",")])
        np.testing.assert_array_equal(read.reshape(6, 5), network.weights[1].astype(dtype))


@pytest.mark.parametrize(
    "name", ["net", "net.h", "my-net.c", "2nd.c", "_net.c", "a__b.c", "net_.c", "größe.c", ".c", "a b.c"]
)
def test_a_name_that_c_has_not_is_one_error(name, tmp_path):
    with pytest.raises(InvalidArgumentError, match=re.escape(f"got {name!r}. Example: lift_force.c")):
        exports.to_c(exports.exported(bare()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["math", "stddef", "Float", "time"])
def test_a_header_of_c_itself_is_not_taken_the_place_of(name, tmp_path):
    """``#include <math.h>`` of a program that is compiled with -I of that folder would get ours."""
    with pytest.raises(InvalidArgumentError, match=rf"would come with {name}.h, which is a header of C itself"):
        exports.to_c(exports.exported(bare()), tmp_path / f"{name}.c")
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_words_of_c_are_names_of_files(tmp_path):
    sources = []
    for name in ("double", "if", "int", "NULL", "dense", "x", "logits", "best"):
        for folder, network in (("1", bare()), ("2", CLASSIFIERS["text"])):
            (tmp_path / folder).mkdir(exist_ok=True)
            sources.append(exports.to_c(exports.exported(network), tmp_path / folder / f"{name}.c")[0])
    compiler = os.environ.get("CC", "cc")
    subprocess.run([*compiler.split(), "-std=c99", *STRICT, "-fsyntax-only", *sources], check=True)


def test_a_header_that_cannot_be_written_leaves_no_source(tmp_path):
    (tmp_path / "net.h").mkdir()
    with pytest.raises(OutputError, match=r"net\.h: Is a directory"):
        exports.to_c(exports.exported(bare()), tmp_path / "net.c")
    assert [file.name for file in tmp_path.iterdir()] == ["net.h"]
