"""A feed-forward network as the bounds see it: scaled by powers of two, without the units that can do nothing.

f(x) = scale W_m rho(W_{m-1} rho(... rho(W_1 x + b_1) ...) + b_{m-1}) + b_m. Biases move outputs and not their
differences: rho(a) - rho(a') = S (a - a'), where S depends on a and a' and is, for every two of them,

- of slopes in [0, 1] on the diagonal where rho acts entry by entry (relu, leaky_relu, tanh);
- a mean of identities and swaps of units 2i and 2i + 1 for maxmin.

So the largest ||scale W_m S_{m-1} W_{m-1} ... S_1 W_1|| over all such S bounds the Lipschitz constant, and that is what
each bound of this folder bounds from above.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from normbench.certificates.rounding import rounded_up
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import ACTIVATIONS, Activation, MaxMin, UnitByUnit, has_unit_slopes
from normbench.numbers import as_number

EXACT = 2.0**53  # from here on float64 leaves out integers
_SMALL = 64  # a layer of a norm of up to 2^64 may stay as it is: no bound leaves float64 for that


@dataclass(frozen=True, eq=False)
class Plain:
    """A network that was checked; :func:`plain` makes it.

    Attributes
    ----------
    given : tuple of arrays, shape (n_k, n_{k-1}), float64
        W_k as they came, every unit included.
    weights : tuple of arrays, float64
        W_k / 2^(exponent k) without idle units.
    exponents : tuple of int
        They bring the operator norms of ``weights`` to about one.
    kept : tuple of bool arrays, shape (n_k,)
        Of the hidden layers: the units in ``weights``.
    together : int
        How many neighbouring units an activation mixes: 1, or 2 for maxmin.
    output_scale : float
        Not negative.
    exact : bool
        False if an entry of ``weights`` lies so far below the largest of its layer that scaling has rounded it.
    """

    given: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    exponents: tuple[int, ...]
    kept: tuple[np.ndarray, ...]
    together: int
    output_scale: float
    exact: bool

    @property
    def is_constant(self) -> bool:
        """True if no path of weights leads from an input to an output, or the scale is zero."""
        return self.output_scale == 0.0 or not all(weight.any() for weight in self.weights)

    @property
    def factor(self) -> Fraction:
        """What a bound of ``weights`` is to be multiplied by: output_scale 2^(sum of exponents)."""
        return Fraction(self.output_scale) * Fraction(2) ** sum(self.exponents)

    def in_use(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of one entry for every unit of the hidden layers, those of the units in ``weights``."""
        return [part[kept] for part, kept in zip(parts, self.kept, strict=True)]

    def for_every_unit(self, parts: Sequence[np.ndarray], *, idle: float) -> tuple[np.ndarray, ...]:
        """The way back from :meth:`in_use`: idle units have the entry ``idle``."""
        full = tuple(np.full(len(kept), idle) for kept in self.kept)
        for whole, kept, part in zip(full, self.kept, parts, strict=True):
            whole[kept] = part
        return full

    def bound(self, value: float | Fraction) -> float:
        """A bound of ``weights`` as one of the network, rounded up; inf beyond float64 and where ``value`` is."""
        return rounded_up(value if value == math.inf else Fraction(value) * self.factor)

    def with_exponents(self, exponents: Sequence[int]) -> "Plain":
        """The same network, its layers scaled by other powers of two."""
        steps = [old - new for old, new in zip(self.exponents, exponents, strict=True)]
        with np.errstate(over="ignore"):
            scaled = tuple(np.ldexp(weight, step) for weight, step in zip(self.weights, steps, strict=True))
        exact = self.exact and _is_exact(self.weights, scaled, steps)
        return dataclasses.replace(self, weights=scaled, exponents=tuple(exponents), exact=exact)


def plain(weights: Iterable[Any], activation: str | Activation = "relu", output_scale: float = 1.0) -> Plain:
    """Check a network and bring it to the form that bounds are computed on.

    A hidden unit is idle if its row of weights is zero, or its column in the next layer (for maxmin: those of both
    units of a pair). Without it the outputs differ by a constant.

    Parameters
    ----------
    weights : sequence of arrays, shape (n_k, n_{k-1})
        From the first layer to the last; float64, or what float64 holds exactly.
    activation : str or Activation
        Between the layers: a name in ``normbench.networks.activations.ACTIVATIONS``, or one with its own slope.
    output_scale : float
        What outputs are multiplied by.

    Raises
    ------
    InvalidArgumentError
        If the weights are none, not finite, or do not fit each other; the activation is unknown or its slope is not
        in [0, 1]; the scale is no finite number.
    """
    arrays = _checked(weights)
    together = _together(activation)
    number = as_number(output_scale)
    if number is None or not math.isfinite(number):
        raise InvalidArgumentError(f"output_scale must be a finite number; got {output_scale!r}.")
    kept = _kept(arrays, together)
    alive = [np.ones(arrays[0].shape[1], bool), *kept, np.ones(len(arrays[-1]), bool)]
    pruned = [w[np.ix_(alive[k + 1], alive[k])] for k, w in enumerate(arrays)]
    exponents = tuple(_exponent(w) for w in pruned)
    scaled = tuple(np.ldexp(w, -e) for w, e in zip(pruned, exponents, strict=True))
    exact = _is_exact(pruned, scaled, [-e for e in exponents])
    return Plain(tuple(arrays), scaled, exponents, tuple(kept), together, abs(float(number)), exact)


def _is_exact(weights: Sequence[np.ndarray], scaled: Sequence[np.ndarray], steps: Sequence[int]) -> bool:
    """Whether each scaled layer is its weights times 2^step to the last bit."""
    with np.errstate(over="ignore"):
        return all(np.array_equal(np.ldexp(s, -n), w) for w, s, n in zip(weights, scaled, steps, strict=True))


def _together(activation: str | Activation) -> int:
    found = ACTIVATIONS.get(activation) if isinstance(activation, str) else activation
    if isinstance(found, MaxMin):
        return 2
    if isinstance(found, UnitByUnit):
        if not has_unit_slopes(found):
            least, greatest = found.slopes
            raise InvalidArgumentError(
                f"the slopes of {found} must lie in [0, 1] to be certified; they go from {least:g} to {greatest:g}. "
                "Network.lipschitz has the product bound of any slope."
            )
        return 1
    known = ", ".join(ACTIVATIONS)
    raise InvalidArgumentError(f"activation must be one of {known}; got {activation!r}.")


def _checked(weights: Iterable[Any]) -> list[np.ndarray]:
    if isinstance(weights, np.ndarray) and weights.dtype != object and weights.ndim != 3:
        raise InvalidArgumentError(
            f"weights must be a list of arrays (fan_out, fan_in), one a layer; got one array of {weights.shape=}."
        )
    if isinstance(weights, str | bytes | Mapping) or not isinstance(weights, Iterable):
        raise InvalidArgumentError(
            f"weights must be a list of arrays (fan_out, fan_in), one a layer; got {weights!r:.60}."
        )
    arrays = [_matrix(index, weight) for index, weight in enumerate(weights)]
    if not arrays:
        raise InvalidArgumentError("weights must hold at least one layer; got none.")
    for index, (first, second) in enumerate(itertools.pairwise(arrays)):
        if second.shape[1] != len(first):
            raise InvalidArgumentError(
                f"weight {index + 1} must have {len(first)} columns, as weight {index} has {len(first)} rows; got "
                f"shape {second.shape}. Layers are (fan_out, fan_in), from the first to the last."
            )
    return arrays


def _matrix(index: int, weight: Any) -> np.ndarray:
    if isinstance(weight, np.ma.MaskedArray):
        raise InvalidArgumentError(
            f"weight {index} is a masked array, whose hidden entries would count. Hand over weight.filled(0)."
        )
    try:
        given = np.asarray(weight)
    except (RuntimeError, TypeError, ValueError) as error:  # tensors that need gradients, of bfloat16, on a GPU; lists
        raise InvalidArgumentError(
            f"weight {index} cannot be read as an array: {' '.join(str(error).split())} Of torch hand over "
            "weight.detach().cpu().double().numpy()."
        ) from error
    if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
        raise InvalidArgumentError(f"weight {index} must hold real numbers of at most 64 bits; got {given.dtype}.")
    if given.ndim != 2 or not given.size:
        raise InvalidArgumentError(
            f"weight {index} must have shape (fan_out, fan_in), both at least 1; got {given.shape}."
        )
    matrix = given.astype(np.float64)
    if given.dtype.kind in "iu" and (np.abs(matrix) >= EXACT).any():
        raise InvalidArgumentError(f"weight {index} has integers of 2^53 or more, which float64 may round.")
    if not np.isfinite(matrix).all():
        raise InvalidArgumentError(f"weight {index} has entries that are not finite; such a network has no bound.")
    return matrix


def _kept(weights: Sequence[np.ndarray], together: int) -> list[np.ndarray]:
    """Hidden units that are not idle; removing some can make others idle."""
    kept = [np.ones(len(weight), bool) for weight in weights[:-1]]
    while True:
        count = sum(int(mask.sum()) for mask in kept)
        for k, mask in enumerate(kept):
            before = weights[k] if k == 0 else weights[k][:, kept[k - 1]]
            after = weights[k + 1] if k + 1 == len(kept) else weights[k + 1][kept[k + 1]]
            groups = np.arange(len(mask)) // together
            fed = np.bincount(groups, before.any(axis=1) & mask) > 0
            used = np.bincount(groups, after.any(axis=0) & mask) > 0
            kept[k] = mask & (fed & used)[groups]
        if sum(int(mask.sum()) for mask in kept) == count:
            return kept


def _exponent(weight: np.ndarray) -> int:
    """e with an operator norm of about 2^e; 0 where that would take the last digits of its smallest numbers."""
    if not weight.any():
        return 0
    first = int(np.frexp(np.abs(weight).max())[1])
    e = first + int(np.frexp(np.linalg.norm(np.ldexp(weight, -first), 2))[1])
    loses = 0 < e <= _SMALL and not np.array_equal(np.ldexp(np.ldexp(weight, -e), e), weight)
    return 0 if loses else e
