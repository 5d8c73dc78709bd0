"""What is written is what is proven: the numbers in their precision, the bound of them, or one refusal."""

from dataclasses import replace

import numpy as np
import pytest

from normbench import exports
from normbench.certificates import certify, verify
from normbench.certificates.stored import read
from normbench.errors import CertificateError, InvalidArgumentError
from tests.exports.networks import CLASSIFIERS, REGRESSORS, SPREAD, bare, made

PROVEN = {name: network for name, network in {**REGRESSORS, **CLASSIFIERS}.items() if len(network.weights) > 1}


def with_best(network):
    """With the tightest certificate that there is, LipSDP for most."""
    found = certify(network.weights, activation=network.activation, output_scale=network.gain_scale)
    return replace(network, witness=found.certificate.arrays())


@pytest.mark.parametrize("dtype", exports.DTYPES)
@pytest.mark.parametrize("name", PROVEN)
def test_the_bound_is_proven_for_the_numbers_that_are_written(name, dtype):
    network = with_best(PROVEN[name])
    found = exports.exported(network, dtype)
    spread = 1.0 if found.input_spread is None else found.input_spread
    smallest = (found.input_scale.astype(np.float64) / spread).min()
    verify(
        [weight.astype(np.float64) for weight in found.weights],
        found.certificate,
        activation=found.activation,
        output_scale=float(found.output_scale) / smallest * (1 - 1e-15),
    )
    stored = float(network.witness["witness_bound"])
    assert stored <= found.certificate.bound <= stored * (1 + 1e-5)
    assert found.certificate.kind == str(network.witness["witness_kind"])
    assert found.bound.dtype == found.dtype == dtype
    assert found.certificate.bound <= float(found.bound) <= found.certificate.bound * (1 + 2 * np.finfo(dtype).eps)


def test_in_float64_the_numbers_are_those_of_the_file(tmp_path):
    network = REGRESSORS["relu"]
    found = exports.exported(network, "float64")
    pairs = zip((*found.weights, *found.biases), (*network.weights, *network.biases), strict=True)
    assert all(np.array_equal(written, kept) for written, kept in pairs)
    assert float(found.certificate.bound) == float(network.witness["witness_bound"])
    network.write(tmp_path / "net.npz")
    assert exports.sha256(read(tmp_path / "net.npz")) == found.sha256


def test_the_hash_is_of_everything_that_f_is_made_of_and_of_nothing_else():
    network = REGRESSORS["relu"]
    changes = [
        {"weights": (*network.weights[:-1], network.weights[-1] + 1e-15)},
        {"biases": (network.biases[0] + 1e-15, *network.biases[1:])},
        {"output_scale": 12.6},
        {"input_scale": 3.8},
        {"input_mean": None},
        {"activation": "tanh"},
        {"input_map": "unit_norm"},
        {"input_scale": 3.7 * SPREAD},
        {"input_scale": 3.7 * SPREAD, "input_spread": SPREAD},
    ]
    found = [exports.sha256(replace(network, **change)) for change in changes]
    assert len({exports.sha256(network), *found}) == 1 + len(changes)
    same = replace(network, lipschitz=1.0, witness={}, model={"model_about": np.array("")})
    assert exports.sha256(same) == exports.sha256(network)
    assert exports.sha256(bare()) == exports.sha256(replace(bare(), biases=(np.zeros(5), np.zeros(6), np.zeros(3))))


def test_a_network_without_a_proof_gets_one():
    network = made(5, witness={})
    found = exports.exported(network).certificate
    assert found.kind == "lipsdp"
    assert found.bound == pytest.approx(certify(network.weights, output_scale=network.gain_scale).bound, rel=1e-5)


def test_a_bound_that_only_a_tighter_certificate_proves_is_proven():
    tight = exports.exported(made(5, witness={})).certificate.bound
    loose = float(made(5).witness["witness_bound"])
    asked = replace(made(5), lipschitz=(tight + loose) / 2)
    assert exports.exported(asked).certificate.bound == pytest.approx(tight, rel=1e-5)
    with pytest.raises(CertificateError, match=r"only a bound of \S+ is proven, and \S+ was asked for\.$"):
        exports.exported(replace(asked, lipschitz=0.99 * tight))


def test_a_bound_that_float32_breaks_is_refused_with_the_remedy():
    linear = next(
        candidate
        for candidate in (made(seed=seed) for seed in range(20))
        if exports.exported(candidate).certificate.bound > float(candidate.witness["witness_bound"])
    )
    asked = replace(linear, lipschitz=float(linear.witness["witness_bound"]))
    exports.exported(asked, "float64")
    with pytest.raises(CertificateError, match=r"for the numbers in float32, .* asked for; export it in float64"):
        exports.exported(asked, "float32")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (replace(made(5), weights=tuple(1.01 * w for w in made(5).weights)), "of kind product does not hold"),
        (replace(made(5), output_scale=12.6), "of kind product does not hold"),
        (made(5, output_scale=1e39), "numbers that float32 does not hold; export it in float64"),
        (made(5, input_scale=1e-46), "numbers that float32 does not hold; export it in float64"),
        (made(weights=(np.full((3, 4), 1e300),), output_scale=1e300), "no finite bound is proven"),
    ],
    ids=["weights", "scale", "huge", "tiny", "infinite"],
)
def test_what_is_not_proven_is_refused(network, words):
    with pytest.raises(CertificateError, match=words):
        exports.exported(network)


def test_a_dtype_that_is_none_is_one_error():
    with pytest.raises(InvalidArgumentError, match="dtype must be float32 or float64; got 'float16'"):
        exports.exported(bare(), "float16")
