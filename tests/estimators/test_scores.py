"""Errors of a fit beside its table, whatever their size."""

from types import SimpleNamespace

import numpy as np
import pytest

from normbench.estimators.from_table import _error, _rms

SIZES = [1.0, 1e-200, 1e300]  # whose squares float64 holds, does not tell from 0, and does not hold


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weight", [None, np.array([1.0, 1.0])])
def test_errors_whose_squares_float64_does_not_hold_have_their_root_mean_square(size, weight):
    table = SimpleNamespace(outputs=size * np.array([[3.0, 0.0], [0.0, 4.0]]), weight=weight)
    rows, zero = np.arange(2), np.zeros((2, 2))
    assert _error(table, rows, zero) == pytest.approx(size * 12.5**0.5, abs=0.0)
    assert _rms(table, rows, zero) == pytest.approx(size * np.array([4.5**0.5, 8**0.5]), abs=0.0)
    assert _error(table, rows, table.outputs) == 0.0
