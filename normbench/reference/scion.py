"""Constrained Scion (arXiv 2502.07529): steps towards the corner of the spectral ball that the averages point to."""

from typing import Any

import numpy as np

from normbench.backends.method import Update
from normbench.problems.problem import Weights
from normbench.reference.polar_average import moved
from normbench.specs.scion import LEAST


def scion(*, learning_rate: float, momentum: float) -> Update:
    """m = momentum m + (1 - momentum) G;  P = (1 - learning_rate) P - learning_rate polar(m)  (SCG)."""

    def init(objective: Any, variables: Weights) -> Weights:
        return tuple(np.zeros_like(P) for P in variables)

    def step(gradient: Weights, variables: Weights, state: Weights) -> tuple[Weights, Weights, float]:
        m = tuple(momentum * a + (1 - momentum) * g for a, g in zip(state, gradient, strict=True))
        P = tuple(moved(p, a, learning_rate, least=LEAST) for p, a in zip(variables, m, strict=True))
        return P, m, learning_rate

    return Update(init, step)
