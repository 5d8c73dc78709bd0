"""Whether a certificate proves its bound for these weights: by Cholesky and operator norms, without any solver."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from normbench.certificates import (
    combettes_pesquet,
    constant,
    eclipse_fast,
    lipsdp,
    multipliers,
    product,
    rescaling,
    sandwich,
)
from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain, plain
from normbench.errors import CertificateError
from normbench.networks.activations import Activation


def _exceeds(proven: float, bound: float) -> str:
    return f"the weights and the witness prove {proven:.12g}, which is above {bound:.12g}" if proven > bound else ""


def _product(network: Plain, certificate: Certificate) -> str:
    _only(certificate)
    return _exceeds(product.proven(network), certificate.bound)


def _rescaled(network: Plain, certificate: Certificate) -> str:
    _only(certificate, "scales")
    return _exceeds(rescaling.proven(network, certificate.witness.get("scales", ())), certificate.bound)


def _combettes_pesquet(network: Plain, certificate: Certificate) -> str:
    _only(certificate, "scales")
    scales = certificate.witness.get("scales", ())
    return _exceeds(combettes_pesquet.proven(network, scales), certificate.bound)


def _sandwich(network: Plain, certificate: Certificate) -> str:
    return _exceeds(sandwich.proven(network, certificate.witness), certificate.bound)


def _constant(network: Plain, certificate: Certificate) -> str:
    _only(certificate)
    return "" if network.is_constant else "weights lead from an input to an output"


def _only(certificate: Certificate, *names: str) -> None:
    """Raise where the witness has arrays that its kind does not know."""
    if surplus := sorted(set(certificate.witness) - set(names)):
        raise CertificateError(f"a certificate of kind {certificate.kind} has no {', '.join(surplus)}.")


class Check(NamedTuple):
    """How certificates of one kind are checked.

    Attributes
    ----------
    refusal : callable
        (network, certificate) -> why it does not prove its bound, empty if it does.
    from_given_weights : bool
        True if it takes the weights as they came; else it takes them scaled, which must not round them.
    any_activation : bool
        True if it holds for maxmin as well; else it needs slopes in [0, 1], entry by entry.
    """

    refusal: Callable[[Plain, Certificate], str]
    from_given_weights: bool = False
    any_activation: bool = False


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        constant.KIND: Check(_constant, from_given_weights=True, any_activation=True),
        product.KIND: Check(_product, from_given_weights=True, any_activation=True),
        rescaling.KIND: Check(_rescaled, any_activation=True),
        combettes_pesquet.KIND: Check(_combettes_pesquet),
        eclipse_fast.KIND: Check(multipliers.refusal),
        lipsdp.KIND: Check(multipliers.refusal),
        sandwich.KIND: Check(_sandwich, from_given_weights=True),
    }
)
"""By kind of certificate; :mod:`normbench.certificates.certify` makes them."""


def verify(
    weights: Sequence[Any],
    certificate: Certificate,
    *,
    activation: str | Activation = "relu",
    output_scale: float = 1.0,
) -> None:
    """Return if the certificate proves ||f(x) - f(x')|| <= bound ||x - x'|| for all x, x'; raise if not.

    Everything is computed from the weights and the witness, in float64 with a margin for every rounding error
    (:mod:`normbench.certificates.rounding` derives it). Nothing that the solver said is used.

    Parameters
    ----------
    weights : sequence of arrays, shape (n_k, n_{k-1})
        Of f(x) = output_scale W_m rho(... rho(W_1 x + b_1) ...) + b_m, the first layer first. Biases do not matter.
    certificate : Certificate
    activation : str or Activation
    output_scale : float

    Raises
    ------
    CertificateError
        With the reason, if it proves no such thing.
    InvalidArgumentError
        If the weights are no network, see :func:`normbench.certificates.plain.plain`.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates import certify
    >>> weights = [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])]
    >>> verify(weights, certify(weights).certificate)
    """
    network = plain(weights, activation, output_scale)
    if certificate.kind not in CHECKS:
        raise CertificateError(f"there is no certificate of kind {certificate.kind!r}; known are {', '.join(CHECKS)}.")
    if network.is_constant:
        return  # whatever the bound is, 0 is below
    check = CHECKS[certificate.kind]
    if network.together > 1 and not check.any_activation:
        raise CertificateError(f"a certificate of kind {certificate.kind} does not hold for {activation}.")
    _check_numbers(certificate)
    if not network.exact and not check.from_given_weights:
        raise CertificateError(
            f"a certificate of kind {certificate.kind} does not hold for these weights: those of one layer lie too far "
            "apart for float64."
        )
    if reason := check.refusal(network, certificate):
        raise CertificateError(f"the certificate of kind {certificate.kind} does not hold: {reason}.")


def _check_numbers(certificate: Certificate) -> None:
    """Raise where an array of the witness holds anything but real numbers that float64 and int64 hold."""
    for name, parts in certificate.witness.items():
        for index, part in enumerate(parts):
            given = np.asarray(part)
            if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
                raise CertificateError(
                    f"{name} {index} of the witness must hold real numbers of at most 64 bits; got {given.dtype}."
                )
