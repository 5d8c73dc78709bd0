"""Every optimiser of the benchmark, declared once: no arrays, no framework."""

from normbench.errors import InvalidArgumentError
from normbench.specs.agd import AGD
from normbench.specs.base import Hyperparameter, Normalisation, OptimiserSpec, Value, suggestion
from normbench.specs.baselines import ADAM, SGD, SGD_MOMENTUM
from normbench.specs.fromage import FROMAGE, LARS
from normbench.specs.method1 import METHOD1
from normbench.specs.method2 import METHOD2, METHOD2_EXP

__all__ = ["SPECS", "Hyperparameter", "Normalisation", "OptimiserSpec", "Value", "get", "suggestion"]

SPECS: dict[str, OptimiserSpec] = {
    spec.key: spec for spec in (METHOD1, METHOD2, METHOD2_EXP, FROMAGE, LARS, AGD, ADAM, SGD, SGD_MOMENTUM)
}


def get(key: str) -> OptimiserSpec:
    """The declaration of one optimiser.

    Raises
    ------
    InvalidArgumentError
        If no optimiser has that key; the message lists the known ones.
    """
    if key not in SPECS:
        raise InvalidArgumentError(
            f"no optimiser {key!r}.{suggestion(key, SPECS)} The benchmark knows: {', '.join(SPECS)}."
        )
    return SPECS[key]
