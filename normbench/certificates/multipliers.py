"""The check of a bound by multipliers: one Cholesky factorisation of LipSDP's matrix (arXiv 1906.04893).

ECLipsE-Fast and LipSDP-Neuron find multipliers in different ways; what they prove is the same inequality. It is
checked with the outputs as a block of their own, which keeps W_m^T W_m from being formed: the Schur complement of the
last block of

        | r I       -W_1^T L_1                        |
        | -L_1 W_1   2 L_1      ...                   |
        |            ...        2 L_{m-1}   -W_m^T    |
        |                       -W_m         I        |

is the matrix M of :mod:`normbench.certificates.lipsdp`. Entries are exact but for one rounding in L_k W_k.

The witness: ``multipliers``, l_k for every hidden layer, shape (n_k,), without meaning for idle units; ``exponents``,
one array of integers e_k, since the multipliers are those of the network with the layers W_k / 2^(e_k), whose products
stay within float64.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain
from normbench.certificates.rounding import EPSILON, positive_definite, rounded_down
from normbench.errors import CertificateError

_SCALED = 2.0**-100, 2.0**100  # the largest entry of a layer that the exponents brought to about one
_FARTHEST = 5000  # exponent; those of float64 lie between -1074 and 1024
_STEPS = (0.0, *(16.0**k for k in range(12)))  # by how much a bound is raised until it is proven, in size^2 roundings
_MOST = 1e-3


def certificate_of(
    network: Plain,
    kind: str,
    parts: Sequence[np.ndarray],
    square: float,
) -> Certificate | None:
    """The certificate of multipliers, its bound raised just so far that the check passes; None if it never does.

    Parameters
    ----------
    network : Plain
    kind : str
    parts : sequence of arrays
        l_k of the units in ``network.weights``.
    square : float
        r.
    """
    if not (math.isfinite(square) and all(np.isfinite(part).all() and (part > 0.0).all() for part in parts)):
        return None
    exponents = (np.array(network.exponents, dtype=np.int64),)
    size = network.weights[0].shape[1] + sum(len(weight) for weight in network.weights)
    for excess in itertools.takewhile(lambda part: part < _MOST, (step * size**2 * EPSILON for step in _STEPS)):
        full = network.for_every_unit([part * (1.0 + excess) for part in parts], idle=0.0)
        bound = network.bound(Fraction(math.sqrt(square)) * (1 + Fraction(excess)))
        made = Certificate(kind, bound, {"multipliers": full, "exponents": exponents})
        if not refusal(network, made, caution=2.0):
            return made
    return None


def refusal(network: Plain, certificate: Certificate, *, caution: float = 1.0) -> str:
    """Why the witness does not prove the bound; empty if it does. ``caution`` is a factor of the rounding margin.

    Raises
    ------
    CertificateError
        If the witness does not fit the network.
    """
    parts, scaled = _fitting(network, certificate.witness)
    if certificate.bound == math.inf:
        return ""
    if not all((part > 0.0).all() for part in parts):
        return "a multiplier of a unit in use is not positive"
    square = rounded_down((Fraction(certificate.bound) / scaled.factor) ** 2)
    if not positive_definite(matrix(scaled.weights, parts, square), roundings=1, caution=caution):
        return (
            f"the multipliers do not prove {certificate.bound:.9g}: their matrix is not positive definite beyond "
            "rounding"
        )
    return ""


def matrix(weights: Sequence[np.ndarray], parts: Sequence[np.ndarray], square: float) -> np.ndarray:
    """The matrix above, symmetric, shape (sum of all widths,) * 2."""
    widths = [weights[0].shape[1], *(len(weight) for weight in weights)]
    ends = np.cumsum(widths)
    found = np.zeros((ends[-1], ends[-1]))
    ones = np.full(widths[0], square), *(2.0 * part for part in parts), np.ones(widths[-1])
    np.fill_diagonal(found, np.concatenate(ones))
    last = np.ones(widths[-1])
    for (start, middle, stop), weight, part in zip(_triples(ends), weights, (*parts, last), strict=True):
        block = -part[:, None] * weight
        found[middle:stop, start:middle] = block
        found[start:middle, middle:stop] = block.T
    return found


def _triples(ends: np.ndarray) -> list[tuple[int, int, int]]:
    """First input, first output and end of every layer."""
    cuts = [0, *map(int, ends)]
    return [(cuts[k], cuts[k + 1], cuts[k + 2]) for k in range(len(cuts) - 2)]


def _fitting(network: Plain, witness: Mapping[str, tuple[np.ndarray, ...]]) -> tuple[list[np.ndarray], Plain]:
    """The multipliers of the units in use, and the network in the witness' scale."""
    if set(witness) - {"multipliers"} != {"exponents"} or len(witness["exponents"]) != 1:
        raise CertificateError(f"the witness needs multipliers and one array exponents; it has {sorted(witness)}.")
    multipliers = [np.asarray(part) for part in witness.get("multipliers", ())]
    [exponents] = witness["exponents"]
    shapes, wanted = [part.shape for part in multipliers], [kept.shape for kept in network.kept]
    if shapes != wanted or exponents.shape != (len(network.weights),):
        raise CertificateError(
            f"the witness has multipliers of shapes {shapes} and {exponents.size} exponents; the network's hidden "
            f"layers need {wanted} and {len(network.weights)}."
        )
    if exponents.dtype.kind not in "iu" or not ((exponents >= -_FARTHEST) & (exponents <= _FARTHEST)).all():
        raise CertificateError(f"the exponents must be integers of at most {_FARTHEST}.")
    if any(part.dtype != np.float64 or not np.isfinite(part).all() for part in multipliers):
        raise CertificateError("the multipliers must be finite float64 numbers.")
    scaled = network.with_exponents([int(exponent) for exponent in exponents])
    for weight in itertools.filterfalse(lambda w: _SCALED[0] <= np.abs(w).max() <= _SCALED[1], scaled.weights):
        raise CertificateError(
            f"the exponents do not belong to these weights: a scaled layer has entries of {np.abs(weight).max():.3g}."
        )
    if not scaled.exact:
        raise CertificateError("the exponents do not belong to these weights: they round an entry of a scaled layer.")
    return network.in_use(multipliers), scaled
