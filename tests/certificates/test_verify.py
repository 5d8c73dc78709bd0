"""A right witness is accepted, in exact arithmetic too; every wrong one is refused with its reason."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from normbench.certificates import Certificate, CertificateError, certify, from_arrays, verify
from normbench.certificates.combettes_pesquet import combettes_pesquet
from normbench.certificates.eclipse_fast import eclipse_fast
from normbench.certificates.lipsdp import lipsdp
from normbench.certificates.plain import plain
from normbench.certificates.product import product
from normbench.certificates.rescaling import rescaling
from normbench.certificates.sandwich import sandwich
from tests.certificates.exact import is_positive_definite
from tests.certificates.networks import gaussian
from tests.certificates.sandwiches import sandwich_weights

pytestmark = pytest.mark.quick

WIDTHS = (4, 6, 5, 3)
WEIGHTS = gaussian(11, *WIDTHS)
FACTORS = sandwich_weights(11, *WIDTHS, gain=7.0)


def made():
    """Weights and a certificate of every kind."""
    network = plain(WEIGHTS)
    scales = rescaling(network).witness["scales"]
    found = [(WEIGHTS, bound(network)) for bound in (product, rescaling, combettes_pesquet, eclipse_fast, lipsdp)]
    found += [(WEIGHTS, combettes_pesquet(network, scales)), (WEIGHTS, eclipse_fast(network, scales))]
    weights, factors = FACTORS
    return [*found, (weights, sandwich(plain(weights), **factors))]


CASES = made()
each = pytest.mark.parametrize(
    ("weights", "certificate"), CASES, ids=[f"{k}-{certificate.kind}" for k, (_, certificate) in enumerate(CASES)]
)
with_multipliers = pytest.mark.parametrize(
    "certificate", [c for _, c in CASES if "multipliers" in c.witness], ids=lambda certificate: certificate.kind
)


def refused(weights, certificate, words="does not hold|above", **options):
    with pytest.raises(CertificateError, match=words):
        verify(weights, certificate, **options)


@each
def test_a_right_witness_is_accepted(weights, certificate):
    verify(weights, certificate)
    verify(weights, certificate, activation="leaky_relu")
    verify(weights, certificate, activation="tanh")


@each
def test_a_bound_that_was_lowered_is_refused(weights, certificate):
    least = 1e-4 if certificate.kind in ("lipsdp", "rescaled") else 1e-8
    for part in (0.5, 0.01, least):
        refused(weights, dataclasses.replace(certificate, bound=certificate.bound * (1 - part)))
    verify(weights, dataclasses.replace(certificate, bound=certificate.bound * 1.5))


@each
def test_another_output_scale_is_refused(weights, certificate):
    refused(weights, certificate, output_scale=1.001)
    verify(weights, certificate, output_scale=-0.9)


@each
def test_weights_that_were_changed_are_refused(weights, certificate):
    for layer in range(len(weights)):
        left, _, right = np.linalg.svd(weights[layer])
        changed = [weight.copy() for weight in weights]
        changed[layer] += 0.5 * np.outer(left[:, 0], right[0])
        refused(changed, certificate)
        refused([*weights[:layer], 1.001 * weights[layer], *weights[layer + 1 :]], certificate)


def test_one_changed_weight_is_refused_in_its_worse_direction():
    certificate = lipsdp(plain(WEIGHTS))
    rng = np.random.default_rng(0)
    for layer, weight in enumerate(WEIGHTS):
        place = tuple(rng.integers(size) for size in weight.shape)
        outcomes = []
        for change in (-0.02, 0.02):
            changed = [w.copy() for w in WEIGHTS]
            changed[layer][place] += change
            try:
                verify(changed, certificate)
                outcomes.append(True)
            except CertificateError:
                outcomes.append(False)
        assert not all(outcomes), (layer, place)


def test_a_multiplier_off_by_one_per_cent_is_refused():
    certificate = lipsdp(plain(WEIGHTS), tolerance=1e-8)
    for layer, multipliers in enumerate(certificate.witness["multipliers"]):
        for unit in range(len(multipliers)):
            for factor in (0.99, 1.01):
                changed = [part.copy() for part in certificate.witness["multipliers"]]
                changed[layer][unit] *= factor
                witness = dict(certificate.witness) | {"multipliers": tuple(changed)}
                refused(WEIGHTS, dataclasses.replace(certificate, witness=witness), "not positive definite")


def test_scales_off_by_one_per_cent_are_refused():
    certificate = rescaling(plain(WEIGHTS), tolerance=1e-8)
    changed = tuple(s * (1 + 0.01 * (-1.0) ** np.arange(len(s))) for s in certificate.witness["scales"])
    refused(WEIGHTS, dataclasses.replace(certificate, witness={"scales": changed}))


@pytest.mark.parametrize("name", ["a", "b", "psi", "gain"])
def test_factors_off_by_one_per_cent_are_refused(name):
    weights, factors = FACTORS
    certificate = sandwich(plain(weights), **factors)
    for index, part in enumerate(certificate.witness[name]):
        changed = list(certificate.witness[name])
        changed[index] = part * 1.01
        refused(weights, dataclasses.replace(certificate, witness=dict(certificate.witness) | {name: tuple(changed)}))


@with_multipliers
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_multipliers_hold_in_exact_arithmetic(certificate, scale):
    """The matrix of LipSDP, from the weights and the witness as fractions: no rounding anywhere."""
    weights = [WEIGHTS[0] * scale, *WEIGHTS[1:]]
    found = {"eclipse_fast": eclipse_fast, "lipsdp": lipsdp}[certificate.kind](plain(weights))
    for bound, holds in ((found.bound, True), (found.bound * (1 - 1e-4), False)):
        [exponents] = found.witness["exponents"]
        layers = [
            [[Fraction(entry) / Fraction(2) ** int(e) for entry in row] for row in weight]
            for weight, e in zip(weights, exponents, strict=True)
        ]
        parts = [[Fraction(entry) for entry in part] for part in found.witness["multipliers"]]
        square = (Fraction(bound) / Fraction(2) ** int(sum(exponents))) ** 2
        assert is_positive_definite(exact_matrix(layers, parts, square)) is holds


def exact_matrix(layers, parts, square):
    """r I, -L W and 2 L, and the outputs' identity with -W_m."""
    widths = [len(layers[0][0]), *(len(layer) for layer in layers)]
    starts = np.concatenate([[0], np.cumsum(widths)])
    matrix = [[Fraction(0)] * int(starts[-1]) for _ in range(int(starts[-1]))]
    for j in range(widths[0]):
        matrix[j][j] = square
    for k, layer in enumerate(layers):
        for i, row in enumerate(layer):
            factor = parts[k][i] if k < len(parts) else Fraction(1)
            at = int(starts[k + 1]) + i
            matrix[at][at] = 2 * factor if k < len(parts) else Fraction(1)
            for j, entry in enumerate(row):
                before = int(starts[k]) + j
                matrix[at][before] = matrix[before][at] = -factor * entry
    return matrix


@each
def test_arrays_bring_everything_back_without_objects(weights, certificate, tmp_path):
    np.savez(tmp_path / "net.npz", **certificate.arrays(), weight_0=weights[0])
    with np.load(tmp_path / "net.npz", allow_pickle=False) as stored:
        back = from_arrays(stored)
    assert [getattr(back, name) for name in ("kind", "bound", "status", "gap", "seconds")] == [
        getattr(certificate, name) for name in ("kind", "bound", "status", "gap", "seconds")
    ]
    assert set(back.witness) == set(certificate.witness)
    for name, parts in certificate.witness.items():
        assert all(np.array_equal(a, b) for a, b in zip(back.witness[name], parts, strict=True))
    verify(weights, back)


@pytest.mark.parametrize("certificate", [c for _, c in CASES if c.witness], ids=lambda certificate: certificate.kind)
def test_a_witness_of_another_network_is_refused(certificate):
    refused(gaussian(0, 4, 6, 3), certificate, "need|fit")
    refused(gaussian(0, 4, 6, 6, 3), certificate, "need|fit")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"multipliers": ()}, "need"),
        ({"multipliers": (np.full(6, np.nan), np.ones(5))}, "finite"),
        ({"multipliers": (np.zeros(6), np.ones(5))}, "not positive"),
        ({"multipliers": (-np.ones(6), np.ones(5))}, "not positive"),
        ({"multipliers": (np.ones(6, np.float32), np.ones(5))}, "float64"),
        ({"exponents": ()}, "one array exponents"),
        ({"exponents": (np.array([0.0, 0.0, 0.0]),)}, "integers"),
        ({"exponents": (np.array([3000, 0, 0]),)}, "do not belong"),
        ({"exponents": (np.array([-3000, 0, 0]),)}, "do not belong"),
        ({"exponents": (np.array([10**9, 0, 0]),)}, "at most 5000"),
        ({"surplus": (np.ones(1),)}, "the witness needs"),
    ],
)
def test_multipliers_that_make_no_sense_are_refused(change, words):
    certificate = lipsdp(plain(WEIGHTS))
    refused(WEIGHTS, dataclasses.replace(certificate, witness=dict(certificate.witness) | change), words)


def test_kinds_hold_for_their_activations_only():
    for weights, certificate in CASES:
        if certificate.kind not in ("product", "rescaled"):
            refused(weights, certificate, "does not hold for maxmin", activation="maxmin")
    refused(WEIGHTS, rescaling(plain(WEIGHTS)), "equal within each pair", activation="maxmin")
    verify(WEIGHTS, product(plain(WEIGHTS)), activation="maxmin")


def test_an_unknown_kind_and_a_constant_that_is_none_are_refused():
    refused(WEIGHTS, Certificate("gut feeling", 1.0), "no certificate of kind")
    refused(WEIGHTS, Certificate("constant", 0.0), "lead from an input")
    dead = [WEIGHTS[0], np.zeros_like(WEIGHTS[1]), WEIGHTS[2]]
    verify(dead, certify(dead).certificate)
    assert certify(dead).bound == 0.0
    refused(WEIGHTS, certify(dead).certificate)
    for _, certificate in CASES:
        verify(dead, certificate)  # no bound is below 0, whatever proves it


@pytest.mark.parametrize("bound", [np.nan, -1.0])
def test_no_certificate_has_such_a_bound(bound):
    with pytest.raises(CertificateError, match="at least 0"):
        Certificate("product", bound)


def test_idle_units_take_any_multiplier():
    weights = [w.copy() for w in WEIGHTS]
    weights[0][2] = 0.0
    certificate = lipsdp(plain(weights))
    verify(weights, certificate)
    refused([WEIGHTS[0], *weights[1:]], certificate, "not positive")  # the unit is in use there


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"witness_kind": None}, "witness_kind"),
        ({"witness_bound": np.ones(2)}, "witness_bound"),
        ({"witness_bound": np.array("many")}, "cannot be read"),
        ({"witness_status": np.array("splendid")}, "cannot be read"),
        ({"witness_multipliers": np.ones(2)}, "end in _0"),
        ({"witness_multipliers_0": None}, "lacks an array of index 0"),
    ],
)
def test_stored_arrays_that_are_no_certificate_are_refused(change, words):
    arrays = lipsdp(plain(WEIGHTS)).arrays() | change
    with pytest.raises(CertificateError, match=words):
        from_arrays({name: value for name, value in arrays.items() if value is not None})
