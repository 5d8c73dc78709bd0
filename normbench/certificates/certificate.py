"""A certificate: an upper bound on a Lipschitz constant, with a witness from which anyone can check it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from normbench.errors import CertificateError

PREFIX = "witness_"
_FIELDS = ("kind", "bound", "status", "gap", "seconds")


class Status(StrEnum):
    """How a bound came about."""

    CLOSED_FORM = "closed form"  # a formula; nothing was searched for
    OPTIMAL = "optimal"  # within the tolerance of the best of its kind, as duality shows
    TIME_LIMIT = "time limit"  # valid, and the gap says how loose it can be
    STALLED = "stalled"  # valid; rounding stopped the search at this gap


@dataclass(frozen=True, eq=False)
class Certificate:
    """||f(x) - f(x')|| <= bound ||x - x'|| for all x, x', and why.

    Attributes
    ----------
    kind : str
        Which inequality: a key of :data:`normbench.certificates.CHECKS`.
    bound : float
        Output units per input unit, not negative; inf where float64 has no larger number.
    witness : mapping of str to tuple of arrays
        What the inequality needs beside the weights, one array for every layer or hidden layer; the bound's module
        says which.
    status : Status
    gap : float
        At most this part of the bound could a longer search of the same kind take off: 0 for a closed form. Measured
        by the solver and not proven, since nothing rests on it.
    seconds : float
        What finding it took.
    """

    kind: str
    bound: float
    witness: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)
    status: Status = Status.CLOSED_FORM
    gap: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if math.isnan(self.bound) or self.bound < 0.0:
            raise CertificateError(f"a bound must be a number of at least 0; got {self.bound!r}.")

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything in it as arrays by name, each name beginning with ``witness_``; no array holds objects.

        :func:`from_arrays` is the way back. ``numpy.savez(file, **certificate.arrays())`` needs no pickle.
        """
        found = {PREFIX + name: np.array(getattr(self, name)) for name in _FIELDS}
        found[PREFIX + "status"] = np.array(self.status.value)
        for name, parts in self.witness.items():
            for index, part in enumerate(parts):
                found[f"{PREFIX}{name}_{index}"] = np.array(part)
        return found


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Certificate:
    """The certificate among arrays by name; names without ``witness_`` in front are passed over.

    Nothing is checked here but the form: :func:`normbench.certificates.verify` is for the rest.

    Raises
    ------
    CertificateError
        If there is none, or its form is wrong.

    Examples
    --------
    >>> first = Certificate("product", 2.0)
    >>> from_arrays(first.arrays()).bound
    2.0
    """
    mine = {name.removeprefix(PREFIX): np.asarray(value) for name, value in arrays.items() if name.startswith(PREFIX)}
    missing = [PREFIX + name for name in _FIELDS if name not in mine or mine[name].shape != ()]
    if missing:
        raise CertificateError(f"a stored certificate needs {', '.join(missing)}, each one value.")
    parts: dict[str, dict[int, np.ndarray]] = {}
    for name, value in mine.items():
        if name not in _FIELDS:
            stem, _, index = name.rpartition("_")
            if not stem or not index.isdecimal():
                raise CertificateError(f"{PREFIX}{name} is not of a certificate: such names end in _0, _1, ...")
            parts.setdefault(stem, {})[int(index)] = value
    try:
        witness = {stem: tuple(found[index] for index in range(len(found))) for stem, found in parts.items()}
        status = Status(str(mine["status"]))
        bound, gap, seconds = (float(mine[name]) for name in ("bound", "gap", "seconds"))
    except KeyError as error:
        raise CertificateError(f"a stored certificate lacks an array of index {error}.") from error
    except (TypeError, ValueError) as error:
        raise CertificateError(f"a stored certificate cannot be read: {error}.") from error
    return Certificate(str(mine["kind"]), bound, witness, status, gap, seconds)
