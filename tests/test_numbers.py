"""One notion of a number for hyperparameters, constructors and loaders."""

import math
from fractions import Fraction

import numpy as np
import pytest

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.numbers import as_float, as_integer, as_number, count, positive

pytestmark = pytest.mark.quick

HALVES = [0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), np.longdouble(0.5), np.array(0.5), Fraction(1, 2)]
THREES = [3, np.int8(3), np.uint64(3), np.array(3), np.array(3, dtype=np.int16)]
NONE = [True, np.True_, np.array(True), "3", None, 1j, np.complex64(1), np.array([0.5]), [3], {}]


@pytest.mark.parametrize("value", HALVES, ids=repr)
def test_every_real_number_becomes_a_python_float(value):
    assert type(as_number(value)) is float
    assert as_number(value) == 0.5
    assert as_integer(value) is None


@pytest.mark.parametrize("value", THREES, ids=repr)
def test_every_integer_becomes_a_python_int(value):
    assert type(as_number(value)) is int
    assert as_integer(value) == 3


@pytest.mark.parametrize("value", NONE, ids=repr)
def test_what_is_no_number_is_refused_by_name(value):
    assert as_number(value) is None
    for check in (positive, count):
        with pytest.raises(InvalidArgumentError, match="rate"):
            check("rate", value)


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_tensors_without_axes_are_numbers(library):
    module = pytest.importorskip(library)
    make = module.tensor if library == "torch" else module.asarray
    assert as_number(make(0.5)) == 0.5
    assert as_integer(make(3)) == 3
    assert as_number(make([0.5])) is None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", [int, Fraction])
def test_a_number_that_no_float_holds_is_infinite(kind, sign):
    value = kind(sign * 10**400)
    assert as_float(value) == sign * math.inf
    assert as_integer(value) == (value if kind is int else None)
    with pytest.raises(InvalidArgumentError, match=r"radius must be positive and finite; got .{3,80}$"):
        positive("radius", value)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, np.float32(0)], ids=repr)
def test_positive_means_positive_and_finite(value):
    with pytest.raises(InvalidArgumentError, match="must be positive and finite"):
        positive("radius", value)


@pytest.mark.parametrize("key", specs.SPECS)
def test_hyperparameters_take_numpy_scalars_and_keep_python_numbers(key):
    given = {h.name: np.asarray(h.default)[()] for h in specs.SPECS[key].hyperparameters if h.default is not None}
    resolved = specs.get(key).resolve({k: str(v) if isinstance(v, np.str_) else v for k, v in given.items()})
    assert resolved == specs.get(key).resolve({})
    assert all(type(value) in (int, float, str, type(None)) for value in resolved.values())
