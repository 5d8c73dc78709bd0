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
from normbench.certificates.arithmetic import ClassMargin
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
    input_scale : array, shape () or (n_0,)
        One for all inputs, or one for each.
    input_map : str
        A key of :data:`normbench.certificates.stored.INPUT_MAPS`.
    input_mean : array, shape (n_0,)
    input_spread : array, shape (n_0,), float64, or None
        Units of the inputs in which changes of them are measured; None for those in which x stands.
    certificate : Certificate
        Of these numbers, per :attr:`change` of x.
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
    input_scale: np.ndarray
    input_map: str
    input_mean: np.ndarray
    input_spread: np.ndarray | None
    certificate: Certificate
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
        """Of the certificate, rounded up to the dtype."""
        nearest = self.dtype.type(self.certificate.bound)
        return nearest if float(nearest) >= self.certificate.bound else np.nextafter(nearest, self.dtype.type(np.inf))

    @property
    def class_margin(self) -> ClassMargin:
        """Within which distance of x a classifier that computes in these numbers gives no other class."""
        weights, biases = ([entry.astype(np.float64) for entry in arrays] for arrays in (self.weights, self.biases))
        spread = 1.0 if self.input_spread is None else float(self.input_spread.min())
        return ClassMargin.of(
            weights,
            biases,
            bound=self.certificate.bound / spread,
            scale=float(self.input_scale.min()),
            activation=self.activation,
            output_scale=float(self.output_scale),
            dtype=self.dtype,
        )

    @property
    def change(self) -> str:
        """What the bound is per unit of, in words of mathematics."""
        if self.input_map == "unit_norm":
            return "|| x / ||x|| - x' / ||x'|| ||"
        return "||x - x'||" if self.input_spread is None else "|| (x - x') / spread ||"

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
    near = rounded(network, dtype)
    number = np.dtype(dtype).type
    return Exported(
        tuple(weight.astype(dtype) for weight in near.weights),
        tuple(bias.astype(dtype) for bias in near.biases),
        ACTIVATIONS[network.activation],
        number(near.output_scale),
        np.asarray(near.input_scale, dtype),
        network.input_map,
        _mean(near).astype(dtype),
        network.input_spread,
        _checked(near, _proven_again(near, certificate), dtype),
        sha256(network),
        tuple(str(name) for name in network.model.get(FEATURE_NAMES, ())),
        network.model.get(CLASSES),
    )


def sha256(network: StoredNetwork) -> str:
    """Of what f is made of, in float64, little-endian: weights, biases, maps and the activation; not of its proof."""
    found = hashlib.sha256(f"{network.activation} {network.input_map}".encode())
    units = [] if network.input_spread is None else [network.input_spread]
    scales = np.array(network.output_scale), np.asarray(network.input_scale), *units
    for array in (*network.weights, *_biases(network), _mean(network), *scales):
        found.update(f" {array.shape} ".encode())
        found.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return found.hexdigest()


def _biases(network: StoredNetwork) -> tuple[np.ndarray, ...]:
    return network.biases or tuple(np.zeros(len(weight)) for weight in network.weights)


def _mean(network: StoredNetwork) -> np.ndarray:
    return np.zeros(network.weights[0].shape[1]) if network.input_mean is None else network.input_mean


def rounded(network: StoredNetwork, dtype: str) -> StoredNetwork:
    """The same with biases and a mean, all in float64, in numbers that the dtype holds.

    What rounding moves the mean by is made up for in the first biases: of an input that is large beside its spread it
    is no small part of that.

    Raises
    ------
    CertificateError
        If the dtype does not hold the numbers.
    """

    def nearest(numbers: np.ndarray | float) -> np.ndarray:
        return np.asarray(numbers, dtype).astype(np.float64)

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = _mean(network)
        first, *others = _biases(network)
        moved = network.weights[0] @ ((nearest(mean) - mean) / network.input_scale)
        first = first + (network.output_scale if len(network.weights) == 1 else 1.0) * moved
        found = replace(
            network,
            weights=tuple(map(nearest, network.weights)),
            biases=tuple(map(nearest, (first, *others))),
            input_mean=nearest(mean),
            output_scale=float(nearest(network.output_scale)),
            input_scale=nearest(network.input_scale),
        )
    scales = np.array(found.output_scale), np.asarray(found.input_scale)
    finite = all(np.isfinite(array).all() for array in (*found.weights, *found.biases, _mean(found), *scales))
    if not finite or not np.all(found.input_scale):
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
