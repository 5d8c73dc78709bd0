"""What every export is made of: a stored network's numbers in the precision that is written, and the proof of these.

Numbers keep the form that the certificate is of, z = (x - mean) / scale, layers, output scale, and none is multiplied
into another: in float64 they are the file's own, bit for bit. In float32 they are other numbers, so that the bound is
proven again for them: by the same witness, its bound raised by some roundings where it must be.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from normbench.certificates import Certificate, certify, from_arrays, verify
from normbench.certificates.stored import StoredNetwork
from normbench.errors import CertificateError, InvalidArgumentError
from normbench.networks.activations import ACTIVATIONS, Activation

DTYPES = ("float32", "float64")
CLASSES, FEATURE_NAMES = "model_classes", "model_feature_names"  # of what an estimator keeps beside its network

_RAISED = (0.0, *(4.0**k * 2.0**-24 for k in range(8)))  # parts of a bound: up to a thousandth


@dataclass(frozen=True, eq=False)
class Exported:
    """f(x) = output_scale W_m rho(... rho(W_1 z + b_1) ...) + b_m, in numbers of one precision.

    Attributes
    ----------
    weights : tuple of arrays, shape (n_k, n_{k-1})
    biases : tuple of arrays, shape (n_k,)
    activation : Activation
        rho.
    output_scale : NumPy scalar
        Of the same dtype as the weights, as are the mean and scale of the inputs.
    input_map : str
        A key of :data:`normbench.certificates.stored.INPUT_MAPS`.
    input_mean : array, shape (n_0,)
    input_scale : array, shape () or (n_0,)
    certificate : Certificate
        Of these numbers, in the unit in which the file measures changes of x.
    proven : float
        Its bound over x as it stands, or over x / ||x||, see :data:`normbench.certificates.stored.INPUT_MAPS`.
    sha256 : str
        Of the stored network, see :func:`sha256`.
    feature_names : tuple of str
        Of the inputs; empty where the file has none.
    classes : array, shape (n_m,), or None
        Of a classifier, whose outputs are logits.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    activation: Activation
    output_scale: np.floating
    input_map: str
    input_mean: np.ndarray
    input_scale: np.ndarray
    certificate: Certificate
    proven: float
    sha256: str
    feature_names: tuple[str, ...]
    classes: np.ndarray | None

    @property
    def dtype(self) -> np.dtype:
        """Of all numbers."""
        return self.weights[0].dtype

    @property
    def widths(self) -> tuple[int, ...]:
        """n_0, ..., n_m."""
        return (self.weights[0].shape[1], *(len(weight) for weight in self.weights))

    @property
    def bound(self) -> np.floating:
        """What is proven, rounded up to the dtype."""
        nearest = self.dtype.type(self.proven)
        return nearest if float(nearest) >= self.proven else np.nextafter(nearest, self.dtype.type(np.inf))

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes as text; empty without."""
        return () if self.classes is None else tuple(str(label) for label in self.classes)


def exported(network: StoredNetwork, dtype: str = "float32") -> Exported:
    """The numbers that are written, with their proof.

    Parameters
    ----------
    network : StoredNetwork
    dtype : str
        "float32" or "float64".

    Raises
    ------
    InvalidArgumentError
        If there is no such dtype.
    CertificateError
        If the stored certificate does not hold for the stored weights, no finite bound or none as small as the one that
        was asked for is proven, or the dtype does not hold the numbers.
    """
    if dtype not in DTYPES:
        raise InvalidArgumentError(f"dtype must be {' or '.join(DTYPES)}; got {dtype!r}.")
    certificate = _checked(network, _stored_or_found(network))
    rounded = _rounded(network, dtype)
    certificate = _checked(rounded, _proven_again(rounded, certificate), dtype)
    return Exported(
        tuple(weight.astype(dtype) for weight in rounded.weights),
        tuple(bias.astype(dtype) for bias in rounded.biases),
        ACTIVATIONS[network.activation],
        np.dtype(dtype).type(rounded.output_scale),
        network.input_map,
        _mean(rounded).astype(dtype),
        np.asarray(rounded.input_scale, dtype),
        certificate,
        rounded.over_inputs(certificate.bound),
        sha256(network),
        tuple(str(name) for name in network.model.get(FEATURE_NAMES, ())),
        network.model.get(CLASSES),
    )


def sha256(network: StoredNetwork) -> str:
    """Of what f is made of, in float64, little-endian: weights, biases, maps and the activation; not of its proof."""
    found = hashlib.sha256(f"{network.activation} {network.input_map}".encode())
    scales = np.array([network.output_scale, *np.ravel(network.input_scale)])
    for array in (*network.weights, *_biases(network), _mean(network), scales):
        found.update(f" {array.shape} ".encode())
        found.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return found.hexdigest()


def _biases(network: StoredNetwork) -> tuple[np.ndarray, ...]:
    return network.biases or tuple(np.zeros(len(weight)) for weight in network.weights)


def _mean(network: StoredNetwork) -> np.ndarray:
    return np.zeros(network.weights[0].shape[1]) if network.input_mean is None else network.input_mean


def _rounded(network: StoredNetwork, dtype: str) -> StoredNetwork:
    """The same with biases and a mean, all in float64, in numbers that the dtype holds."""

    def nearest(numbers: np.ndarray | float) -> np.ndarray:
        return np.asarray(numbers, dtype).astype(np.float64)

    with np.errstate(over="ignore", under="ignore"):
        found = replace(
            network,
            weights=tuple(map(nearest, network.weights)),
            biases=tuple(map(nearest, _biases(network))),
            input_mean=nearest(_mean(network)),
            output_scale=float(nearest(network.output_scale)),
            input_scale=nearest(network.input_scale),
        )
    numbers = (*found.weights, *found.biases, _mean(found), found.output_scale, found.input_scale)
    if not all(np.isfinite(each).all() for each in numbers) or not np.all(found.input_scale):
        raise CertificateError(f"the network has numbers that {dtype} does not hold; export it in float64.")
    return found


def _stored_or_found(network: StoredNetwork) -> Certificate:
    """The stored certificate, which has to hold; the tightest that is found where that is none, or not enough."""
    if not network.witness:
        return _found(network)
    certificate = from_arrays(network.witness)
    _verify(network, certificate)
    if network.lipschitz is None or certificate.bound <= network.lipschitz:
        return certificate
    return min(certificate, _found(network), key=lambda each: each.bound)


def _found(network: StoredNetwork) -> Certificate:
    return certify(network.weights, activation=network.activation, output_scale=network.gain_scale).certificate


def _proven_again(network: StoredNetwork, certificate: Certificate) -> Certificate:
    """The certificate of other roundings of the same network: the same witness, else the tightest that is found."""
    for raised in _raised(certificate):
        try:
            _verify(network, raised)
        except CertificateError:
            continue
        return raised
    return _found(network)


def _raised(certificate: Certificate) -> Iterator[Certificate]:
    """Bounds that are larger by more and more; multipliers grow with them, which keeps room on both of their sides."""
    for part in _RAISED:
        witness = dict(certificate.witness)
        if "multipliers" in witness:
            witness["multipliers"] = tuple(entry * (1.0 + part) for entry in witness["multipliers"])
        yield replace(certificate, bound=certificate.bound * (1.0 + part), witness=witness)


def _verify(network: StoredNetwork, certificate: Certificate) -> None:
    verify(network.weights, certificate, activation=network.activation, output_scale=network.gain_scale)


def _checked(network: StoredNetwork, certificate: Certificate, dtype: str = "") -> Certificate:
    """The certificate, if its bound is finite and none smaller was asked for."""
    bound, asked = certificate.bound, network.lipschitz
    if not math.isfinite(bound):
        raise CertificateError("no finite bound is proven: the weights are too large for float64.")
    if asked is not None and bound > asked:
        where, remedy = (f" for the numbers in {dtype}", "; export it in float64") if dtype else ("", "")
        raise CertificateError(f"only a bound of {bound:.9g} is proven{where}, and {asked:.9g} was asked for{remedy}.")
    return certificate
