"""What a parametrisation is to every backend: from the variables that an optimiser moves to plain weights, and back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Variables = Any  # a tuple of arrays, as the weights are; some are matrices of a layer, some vectors of scales


@dataclass(frozen=True, eq=False)
class Chart:
    """One parametrisation of the weights of one network.

    Attributes
    ----------
    variables : callable
        (weights) -> variables that stand for them; where the bound does not admit their size, or the parametrisation
        knows directions alone, for a smaller network that points the same way.
    weights : callable
        (variables) -> plain weights.
    pull_back : callable
        (variables, gradient of the plain weights) -> gradient of the variables.
    clipped : callable
        (variables) -> variables with a bound of 1 in float64 arithmetic, by which those of lower precision may differ.
    witness : callable
        (variables) -> what proves the bound of the plain weights beside themselves, arrays by name: nothing for the
        product of norms; a, b, psi and gain of :mod:`normbench.specs.parametrisations` for the sandwich.
    series : callable or None
        (Taylor coefficients of every variable along a curve) -> those of every weight; None where the weights are no
        polynomials.
    """

    variables: Callable[[Any], Variables]
    weights: Callable[[Variables], Any]
    pull_back: Callable[[Variables, Any], Variables]
    clipped: Callable[[Variables], Variables]
    witness: Callable[[Variables], dict[str, tuple[Any, ...]]]
    series: Callable[[Sequence[Any]], Any] | None = None
