"""Proofs in float64 against exact rational arithmetic: nothing false is proven, and next to nothing true is missed."""

import math
from fractions import Fraction

import numpy as np
import pytest

from normbench.certificates.rounding import EPSILON, operator_norm, positive_definite, rounded_down, rounded_up
from tests.certificates.exact import is_positive_definite

pytestmark = pytest.mark.quick


def nearly_singular(seed, size, least):
    """A symmetric matrix with smallest eigenvalue about ``least``, the others up to 1."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(size, size)))[0]
    values = np.concatenate([[least], rng.uniform(0.1, 1.0, size - 1)])
    matrix = (vectors * values) @ vectors.T
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_what_is_proven_is_true_and_what_is_true_by_a_margin_is_proven(size):
    margin = 16 * size * (size + 4) * EPSILON
    for seed in range(20):
        least = np.random.default_rng(seed).uniform(-2, 2) * margin
        matrix = nearly_singular(seed, size, least)
        proven = positive_definite(matrix)
        assert not proven or is_positive_definite(matrix), seed
        assert proven or least < 1.5 * margin, seed


def test_a_matrix_that_cholesky_passes_by_its_rounding_errors_is_not_proven():
    passed = 0
    for seed in range(200):
        matrix = nearly_singular(seed, 6, -2e-17)
        if is_positive_definite(matrix):
            continue
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            continue
        passed += 1
        assert not positive_definite(matrix), seed
    assert passed > 5  # or the test says nothing


@pytest.mark.parametrize("exponents", [(0, 0, 0), (300, -200, 90), (-510, -510, -510), (511, 0, -511)])
def test_the_proof_does_not_depend_on_the_scale_of_rows_and_columns(exponents):
    scale = np.ldexp(1.0, np.array(exponents))
    matrix = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    assert positive_definite(matrix * scale[:, None] * scale)
    assert not positive_definite((matrix - 0.6 * np.eye(3)) * scale[:, None] * scale)


def test_errors_of_the_entries_are_charged():
    matrix = np.eye(4) - 0.2499 * np.ones((4, 4))
    assert positive_definite(matrix)
    assert not positive_definite(matrix, error=1e-3)
    assert not positive_definite(matrix, roundings=10**12)


@pytest.mark.parametrize("entry", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_proven(entry):
    for place in ((0, 0), (1, 0)):
        matrix = np.eye(2)
        matrix[place] = matrix[place[::-1]] = entry
        assert not positive_definite(matrix)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 5), (8, 8), (2, 300)])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300, 2.0**-1070])
def test_an_operator_norm_is_bounded_from_above_and_closely(shape, scale):
    rng = np.random.default_rng(3)
    for matrix in (rng.normal(size=shape), np.outer(rng.normal(size=shape[0]), rng.normal(size=shape[1]))):
        scaled = matrix * scale
        bound = operator_norm(scaled)
        unit = scaled * (2.0**900 if scale < 1 else 2.0**-900)
        square = Fraction(bound) ** 2 * Fraction(2) ** (1800 if scale < 1 else -1800)
        small = unit if shape[0] <= shape[1] else unit.T
        exact = [[sum(Fraction(a) * Fraction(b) for a, b in zip(r, s, strict=True)) for s in small] for r in small]
        gram = [[square * (i == j) - entry for j, entry in enumerate(row)] for i, row in enumerate(exact)]
        assert is_positive_definite(gram)
        assert float(square) == pytest.approx(np.linalg.norm(unit, 2) ** 2, rel=1e-9 if scale > 1e-305 else 1e-3)


def test_zeros_have_the_norm_zero_and_errors_are_added():
    assert operator_norm(np.zeros((3, 2))) == 0.0
    assert operator_norm(np.zeros((3, 2)), error=0.5) == 0.5
    assert operator_norm(np.eye(2), error=0.5) >= 1.5


def test_a_norm_beyond_float64_is_infinite():
    assert operator_norm(np.full((9, 9), 1.7e308)) == math.inf


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(2, 3), Fraction(1, 2), Fraction(0), Fraction(10) ** -400, Fraction(10) ** 400]
)
def test_fractions_are_rounded_outwards(value):
    up, down = rounded_up(value), rounded_down(value)
    assert up == math.inf or Fraction(up) >= value
    assert Fraction(down) <= value
    assert down == up or math.nextafter(down, math.inf) == up
