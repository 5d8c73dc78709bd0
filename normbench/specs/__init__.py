"""Every optimiser of the benchmark, declared once: no arrays, no framework."""

from normbench.errors import InvalidArgumentError
from normbench.specs.agd import AGD
from normbench.specs.base import Family, Hyperparameter, Normalisation, OptimiserSpec, Value, suggestion
from normbench.specs.baselines import ADAM, SGD, SGD_MOMENTUM
from normbench.specs.fgsgd import FGSGD
from normbench.specs.fromage import FROMAGE, LARS
from normbench.specs.method1 import METHOD1
from normbench.specs.method2 import METHOD2, METHOD2_EXP
from normbench.specs.peers import DADAPT_ADAMW, DOG, LBFGS, MOMO, MUON, PRODIGY, SCHEDULE_FREE

__all__ = [
    "OWN",
    "PEERS",
    "SPECS",
    "Family",
    "Hyperparameter",
    "Normalisation",
    "OptimiserSpec",
    "Value",
    "get",
    "suggestion",
]

_DECLARED = (
    *(METHOD1, METHOD2, METHOD2_EXP, FROMAGE, LARS, AGD, FGSGD),
    *(ADAM, SGD, SGD_MOMENTUM),
    *(LBFGS, PRODIGY, DADAPT_ADAMW, DOG, MOMO, SCHEDULE_FREE, MUON),
)
SPECS: dict[str, OptimiserSpec] = {spec.key: spec for spec in _DECLARED}
PEERS = tuple(key for key, spec in SPECS.items() if spec.family is Family.PEER)
OWN = tuple(key for key in SPECS if key not in PEERS)  # each has a reference, and an implementation per backend


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
