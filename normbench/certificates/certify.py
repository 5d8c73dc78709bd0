"""The tightest bound that a time limit allows."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from normbench.certificates.certificate import Certificate, Status
from normbench.certificates.combettes_pesquet import KIND as COMBETTES_PESQUET
from normbench.certificates.combettes_pesquet import combettes_pesquet
from normbench.certificates.constant import KIND as CONSTANT
from normbench.certificates.constant import constant
from normbench.certificates.eclipse_fast import KIND as ECLIPSE_FAST
from normbench.certificates.eclipse_fast import eclipse_fast
from normbench.certificates.lipsdp import KIND as LIPSDP
from normbench.certificates.lipsdp import lipsdp
from normbench.certificates.plain import Plain, plain
from normbench.certificates.product import KIND as PRODUCT
from normbench.certificates.product import product
from normbench.certificates.rescaling import KIND as RESCALED
from normbench.certificates.rescaling import rescaling
from normbench.errors import CertificateError
from normbench.networks.activations import Activation
from normbench.numbers import positive

TIME_LIMIT = 10.0  # seconds
_SPEED = 1e10  # operations a second that are counted on
_FEW_STEPS = 8  # of a search: in less it gets nowhere


@dataclass(frozen=True, eq=False)
class Attempt:
    """One kind of bound: the certificate that was found, or why none was.

    Attributes
    ----------
    kind : str
    certificate : Certificate or None
    note : str
        Why there is none, or what the user must know of it; empty if nothing.
    """

    kind: str
    certificate: Certificate | None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Certification:
    """What :func:`certify` found.

    Attributes
    ----------
    certificate : Certificate
        The one with the smallest bound.
    attempts : tuple of Attempt
        All that were tried or passed over, in order.
    """

    certificate: Certificate
    attempts: tuple[Attempt, ...]

    @property
    def bound(self) -> float:
        """Of the certificate."""
        return self.certificate.bound


def certify(
    weights: Sequence[Any],
    *,
    activation: str | Activation = "relu",
    output_scale: float = 1.0,
    time_limit: float = TIME_LIMIT,
) -> Certification:
    """The tightest upper bound on ||f(x) - f(x')|| / ||x - x'|| that fits the time limit, with its certificate.

    relu, leaky_relu and tanh have all bounds, since all that these use is slopes in [0, 1] entry by entry; maxmin has
    the product, and the rescalings that are equal within its pairs.

    Parameters
    ----------
    weights : sequence of arrays, shape (n_k, n_{k-1})
        Of f(x) = output_scale W_m rho(... rho(W_1 x + b_1) ...) + b_m, the first layer first. Biases do not matter.
    activation : str or Activation
        rho.
    output_scale : float
    time_limit : float
        In seconds, for all bounds together. A bound that would take longer is passed over; a search that does take
        longer ends with what it has. The product is always made. Rounding apart, only what a time limit cut off
        depends on the machine.

    Returns
    -------
    Certification

    Raises
    ------
    InvalidArgumentError
        If the weights are no network, see :func:`normbench.certificates.plain.plain`, or the limit is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> found = certify([np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])])
    >>> round(found.attempts[0].certificate.bound, 4), round(found.bound, 4)
    (2.0, 1.0)
    """
    deadline = time.perf_counter() + positive("time_limit", time_limit)
    network = plain(weights, activation, output_scale)
    attempts = tuple(_attempts(network, deadline))
    found = [attempt.certificate for attempt in attempts if attempt.certificate is not None]
    return Certification(min(found, key=lambda certificate: certificate.bound), attempts)


def _attempts(network: Plain, deadline: float) -> Iterator[Attempt]:
    if network.is_constant:
        yield Attempt(CONSTANT, constant())
        return
    yield Attempt(
        PRODUCT, product(network), "" if network.exact else "no other: the weights are too far apart for float64"
    )
    if len(network.weights) == 1 or not network.exact:
        return  # the product is the operator norm itself, or nothing else holds for what scaling has rounded
    closed = dict(_closed_forms(network, deadline))
    steps = _FEW_STEPS * sum(6.0 * max(weight.shape) * min(weight.shape) ** 2 for weight in network.weights)
    scaled = _within(RESCALED, deadline, steps, lambda: rescaling(network, deadline=deadline))
    if scaled.certificate:
        again = dict(_closed_forms(network, deadline, scaled.certificate.witness["scales"]))
        closed = {kind: _tighter(attempt, again[kind]) for kind, attempt in closed.items()}
    yield from closed.values()
    yield scaled
    if network.together == 1:
        steps = _FEW_STEPS * 4.0 * _size(network) ** 3
        yield _within(LIPSDP, deadline, steps, lambda: lipsdp(network, start=scaled.certificate, deadline=deadline))


def _size(network: Plain) -> int:
    """Of LipSDP's matrix."""
    return sum(len(weight) for weight in network.weights) + min(network.weights[0].shape)


def _closed_forms(network: Plain, deadline: float, scales: Sequence[np.ndarray] = ()) -> Iterator[tuple[str, Attempt]]:
    """Those for slopes in [0, 1], of the network as it is or rescaled."""
    if network.together > 1:
        return
    layers, inputs = len(network.weights), network.weights[0].shape[1]
    wide = max(max(weight.shape) for weight in network.weights)
    narrow = max(min(weight.shape) for weight in network.weights)
    products = layers * (layers + 1) / 2.0 * (4.0 * wide * narrow**2 + 6.0 * narrow**3)
    recursion = sum(6.0 * max(weight.shape) * min(weight.shape) ** 2 for weight in network.weights)
    recursion += 2.0 * (_size(network) + inputs) ** 3
    yield (
        COMBETTES_PESQUET,
        _within(COMBETTES_PESQUET, deadline, products, lambda: combettes_pesquet(network, scales)),
    )
    yield ECLIPSE_FAST, _within(ECLIPSE_FAST, deadline, recursion, lambda: eclipse_fast(network, scales))


def _tighter(first: Attempt, second: Attempt) -> Attempt:
    """The one with the smaller bound; its certificate has the seconds of both."""
    made = [attempt.certificate for attempt in (first, second) if attempt.certificate]
    if not made:
        return first
    best = min(made, key=lambda certificate: certificate.bound)
    return Attempt(first.kind, replace(best, seconds=sum(certificate.seconds for certificate in made)))


def _within(kind: str, deadline: float, cost: float, make: Callable[[], Certificate | None]) -> Attempt:
    """The certificate, unless so many operations take longer than is left."""
    needed, left = cost / _SPEED, deadline - time.perf_counter()
    if needed > left:
        return Attempt(kind, None, f"skipped: about {needed:.2g} s or more, of which {max(left, 0.0):.2g} s are left")
    try:
        with np.errstate(all="ignore"):
            found = make()
    except (ArithmeticError, np.linalg.LinAlgError, CertificateError):  # beyond float64 on the way
        found = None
    if found is None or found.kind != kind:
        return Attempt(kind, None, "no proof: the weights are too far apart for float64")
    cause = {Status.TIME_LIMIT: "the time limit", Status.STALLED: "rounding"}.get(found.status)
    return Attempt(kind, found, f"ended by {cause}; at most {found.gap:.1%} could be taken off" if cause else "")
