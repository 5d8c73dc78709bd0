"""The witness of sandwich layers (R. Wang, I. Manchester, arXiv 2301.11526): factors that prove 1.

With ||[A_k B_k]||_op <= 1, psi_k > 0 and slopes in [0, 1], each h -> sqrt 2 A_k^T psi_k rho(sqrt 2 psi_k^-1 B_k h + b)
is 1-Lipschitz, and so is h -> B_m h. A network trained in that form has the plain weights

    W_1 = sqrt 2 psi_1^-1 B_1,   W_k = 2 psi_k^-1 B_k A_{k-1}^T psi_{k-1},   W_m = sqrt 2 gain B_m A_{m-1}^T psi_{m-1}

(W_1 = gain B_1 for one layer), and the bound ``gain``. The factors prove it up to rounding: norms s_k other than 1
multiply it by s_k^2 (by s_m in the last layer); and where V_k = psi_k W_k psi_{k-1}^-1 misses its factors by e_k in
norm, the product of slopes and weights misses by at most prod (||V_k|| + e_k) - prod ||V_k||.
"""

import math
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain
from normbench.certificates.rounding import (
    EPSILON,
    UNDERFLOW,
    exact_product,
    frobenius_norm,
    operator_norm,
    rounded_up,
    with_slack,
)
from normbench.errors import CertificateError

KIND = "sandwich"
_NAMES = ("a", "b", "psi", "gain")


def sandwich(
    network: Plain, *, a: Sequence[np.ndarray], b: Sequence[np.ndarray], psi: Sequence[np.ndarray], gain: float
) -> Certificate:
    """The bound that the factors of a sandwich network prove for its plain weights. They are the witness.

    Parameters
    ----------
    network : Plain
        With slopes in [0, 1].
    a : sequence of arrays, shape (n_k, n_k), one for every hidden layer
    b : sequence of arrays, shape (n_k, n_{k-1}), one for every layer
    psi : sequence of arrays, shape (n_k,), one for every hidden layer
        Positive.
    gain : float

    Raises
    ------
    CertificateError
        If the factors do not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> a, b = [np.array([[0.6]])], [np.array([[0.8]]), np.array([[1.0]])]
    >>> f = plain([2**0.5 * b[0], 2**0.5 * 5.0 * b[1] @ a[0].T])
    >>> round(sandwich(f, a=a, b=b, psi=[np.ones(1)], gain=5.0).bound, 6)
    5.0
    """
    start = time.perf_counter()
    witness = {"a": tuple(a), "b": tuple(b), "psi": tuple(psi), "gain": (np.array(float(gain)),)}
    return Certificate(KIND, with_slack(proven(network, witness)), witness, seconds=time.perf_counter() - start)


def proven(network: Plain, witness: Mapping[str, Sequence[np.ndarray]]) -> float:
    """The bound that the factors prove, rounded up.

    Raises
    ------
    CertificateError
        If they do not fit the network.
    """
    a, b, psi, gain = _factors(network, witness)
    tops = [operator_norm(np.hstack(pair)) for pair in zip(a, b, strict=False)]
    own = exact_product([abs(gain), operator_norm(b[-1]), *tops, *tops])
    norms, misses = [], []
    for layer, weight in enumerate(network.given):
        mine, found, error = _scaled(layer, weight, a, b, psi, gain)
        miss = frobenius_norm(mine - found) * (1.0 + weight.size * EPSILON) + error
        norms.append(operator_norm(mine, error=error))
        misses.append(miss)
    if math.inf in (own, *norms, *misses):
        return math.inf
    wide = math.prod((Fraction(n) + Fraction(e) for n, e in zip(norms, misses, strict=True)), start=Fraction(1))
    return rounded_up((own + wide - exact_product(norms)) * Fraction(network.output_scale))


def _scaled(
    layer: int,
    weight: np.ndarray,
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    psi: Sequence[np.ndarray],
    gain: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """psi_k W_k psi_{k-1}^-1, what the factors make of it, and a bound on the rounding errors of both together.

    Slopes commute with psi, and scaled weights miss by as little as their size, which is about 2.
    """
    last = layer == len(b) - 1
    before = psi[layer - 1] if layer else np.ones(weight.shape[1])
    after = np.ones(len(weight)) if last else psi[layer]
    transposed = a[layer - 1].T if layer else np.eye(weight.shape[1])
    factor = math.sqrt(2.0) ** (int(layer > 0) + int(not last)) * (gain if last else 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mine = after[:, None] * weight / before
        found = factor * (b[layer] @ transposed)
        size = frobenius_norm(mine) + frobenius_norm(factor * (np.abs(b[layer]) @ np.abs(transposed)))
        # what underflows, and what that is multiplied by behind it
        small = 2 + np.divide(1.0, before.min()) + abs(factor) * (weight.shape[1] + 1)
    return mine, found, size * (weight.shape[1] + 8) * EPSILON + float(small) * weight.size * UNDERFLOW


def _factors(
    network: Plain, witness: Mapping[str, Sequence[np.ndarray]]
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], float]:
    if set(witness) - {"a", "psi"} != {"b", "gain"} or len(witness["gain"]) != 1 or np.shape(witness["gain"][0]):
        raise CertificateError(f"the witness needs {', '.join(_NAMES)}, one gain; it has {sorted(witness)}.")
    parts = {name: [np.asarray(part, np.float64) for part in witness.get(name, ())] for name in _NAMES}
    shapes = {name: [part.shape for part in parts[name]] for name in ("a", "b", "psi")}
    widths = [len(weight) for weight in network.given[:-1]]
    wanted = {
        "a": [(width, width) for width in widths],
        "b": [weight.shape for weight in network.given],
        "psi": [(width,) for width in widths],
    }
    if shapes != wanted:
        raise CertificateError(f"the witness has factors of shapes {shapes}; the network needs {wanted}.")
    if not all(np.isfinite(part).all() for found in parts.values() for part in found):
        raise CertificateError("the factors must be finite.")
    if not all((part > 0.0).all() for part in parts["psi"]):
        raise CertificateError("psi must be positive.")
    return parts["a"], parts["b"], parts["psi"], float(parts["gain"][0])
