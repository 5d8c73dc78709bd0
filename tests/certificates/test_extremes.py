"""Witnesses and weights at the ends of float64: a bound below the true gain is refused, and never with a crash."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from normbench.certificates import Certificate, CertificateError, certify, largest_gain, plain, verify
from normbench.certificates.combettes_pesquet import proven
from normbench.certificates.rounding import frobenius_norm, operator_norm
from normbench.certificates.stored import read
from normbench.errors import DataError

_TINY_LAYERS = np.diag([1.0, 2.0**-900]), np.diag([2.0**-700, 1.0]), np.ones((1, 2))  # gain 2^-700
_FAR_APART = np.array([[2.0**1000], [2.0**-100]]), np.array([[2.0**-1000, 2.0**1000]])  # gain 2^900, by the second unit


def _scales(*exponents: list[int]) -> dict[str, tuple[np.ndarray, ...]]:
    return {"scales": tuple(np.ldexp(1.0, one) for one in exponents)}


@pytest.mark.parametrize(
    ("weights", "certificate"),
    [
        pytest.param(
            [np.full((1, 1), 2.0**-600)],
            Certificate("sandwich", 2.0**-620, {"b": (np.zeros((1, 1)),), "gain": (np.array(1.0),)}),
            id="squares of what the factors miss underflow",
        ),
        pytest.param(
            _TINY_LAYERS,
            Certificate("rescaled", 2.0**-880, _scales([-400, 500], [-400, -400])),
            id="a weight times its scale underflows before the division",
        ),
        pytest.param(
            _FAR_APART,
            Certificate("rescaled", 1.01, _scales([-1000, 1000])),
            id="a weight underflows where its layer is scaled to norm one",
        ),
        pytest.param(
            [np.ones((1, 1))] * 4,
            Certificate("combettes_pesquet", 0.76, _scales([1000], [0], [-1000])),
            id="a norm overflows",
        ),
        pytest.param(
            [np.ones((1, 1))] * 2,
            Certificate("rescaled", 1.1, {"scales": (np.array([1.0 + 1.0j]),)}),
            id="complex scales",
        ),
        pytest.param(
            [np.ones((1, 1))] * 2, Certificate("rescaled", 1.1, {"scales": (np.array(["one"]),)}), id="words as scales"
        ),
        pytest.param(
            [np.ones((1, 1))] * 2,
            Certificate(
                "lipsdp", 1.0, {"multipliers": (np.ones(1),), "exponents": (np.array([-(2**63), 0], np.int64),)}
            ),
            id="an exponent whose absolute value overflows",
        ),
    ],
)
def test_what_underflows_or_overflows_proves_nothing(weights: list[np.ndarray], certificate: Certificate) -> None:
    with pytest.raises(CertificateError):
        verify(weights, certificate)


def test_blocks_that_underflow_count_with_what_they_may_be() -> None:
    between = [300] * 3 + [-300] * 6 + [300] * 3  # four layers in the middle make a block of 2^-1200
    scales = _scales(*([e] for e in np.cumsum(between[:-1]).tolist()))["scales"]
    assert proven(plain([np.ones((1, 1))] * len(between)), scales) >= 1.0


@pytest.mark.parametrize("kind", ["rescaled", "combettes_pesquet", "eclipse_fast", "lipsdp"])
def test_only_what_takes_weights_as_they_came_holds_where_scaling_rounds_them(kind: str) -> None:
    found = certify(_FAR_APART)
    assert [attempt.kind for attempt in found.attempts] == ["product"]
    assert "too far apart" in found.attempts[0].note
    verify(_FAR_APART, found.certificate)
    with pytest.raises(CertificateError, match="too far apart"):
        verify(_FAR_APART, Certificate(kind, 2.0**1000))


@pytest.mark.parametrize("size", [2.0**-1074, 2.0**-600, 1.0, 2.0**600, 2.0**1023])
def test_norms_of_any_size(size: float) -> None:
    matrix = np.array([[size, 0.0], [0.0, size]])
    assert operator_norm(matrix) >= size
    assert frobenius_norm(matrix[:1]) == size
    assert frobenius_norm(matrix * 0.0) == 0.0
    assert operator_norm(np.array([[np.inf]])) == operator_norm(matrix, error=np.inf) == np.inf
    assert frobenius_norm(np.array([[np.nan]])) == np.inf


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "maxmin"])
def test_a_kink_is_no_evidence(activation: str) -> None:
    """x1 = (x1 + x2)+ - (x2)+ + (-x2)+ near (1, 0), where without slopes its gradient seems (1, 1)."""
    first, last = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, -1.0]]), np.array([[1.0, -1.0, 1.0]])
    gain = largest_gain([first, last], activation=activation)
    x = np.random.default_rng(0).normal(size=(2, 4000, 2))
    x[1] = x[0] + 1e-6 * x[1]

    def f(values: np.ndarray) -> np.ndarray:
        hidden = values @ first.T
        if activation == "maxmin":
            hidden[:, :2] = np.stack([hidden[:, :2].max(axis=1), hidden[:, :2].min(axis=1)], axis=1)
        else:
            hidden = np.where(hidden > 0.0, hidden, (0.01 if activation == "leaky_relu" else 0.0) * hidden)
        return hidden @ last.T

    measured = np.linalg.norm(f(x[0]) - f(x[1]), axis=1) / np.linalg.norm(x[0] - x[1], axis=1)
    assert measured.max() <= gain * (1 + 1e-6)
    assert gain <= measured.max() * (1 + 1e-3)


@pytest.mark.parametrize(
    ("scale", "reason"), [(np.inf, "positive and finite"), ("one", "positive and finite"), (5e-324, "beyond")]
)
def test_a_file_whose_input_scale_is_no_number_to_divide_by_is_refused(
    scale: object, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "net.npz"
    np.savez(file, weight_0=np.ones((1, 1)), input_mean=np.zeros(1), input_scale=np.array(scale))
    with pytest.raises(DataError, match=reason):
        read(file)


def test_a_bound_that_leaves_float64_on_its_way_is_passed_over():
    """The singular values of a search did not converge, and that was the answer."""
    weights = [np.diag([1.0, 2.0**-1070]), np.diag([1.0, 2.0**-1000]), np.ones((1, 2))]
    found = certify(weights)
    assert found.bound >= 1.0
    verify(weights, found.certificate)
    assert {attempt.kind for attempt in found.attempts if attempt.certificate is None}


@pytest.mark.parametrize("activation", ["relu", "maxmin", "leaky_relu", "tanh"])
def test_no_gain_that_is_found_lies_above_what_is_proven_where_products_underflow(activation):
    """Jacobians underflowed, and what rounding left of them was called a gain."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 6, size=rng.integers(2, 6))
        weights = [
            rng.normal(size=(rows, columns)) * 2.0 ** rng.integers(-530, 530, size=(rows, columns))
            for columns, rows in pairwise(sizes)
        ]
        weights = [np.ldexp(weight, -int(rng.integers(0, 1000))) for weight in weights]
        found = certify(weights, activation=activation)
        verify(weights, found.certificate, activation=activation)
        assert largest_gain(weights, activation=activation) <= found.bound
