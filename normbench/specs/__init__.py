"""Every optimiser of the benchmark, declared once: no arrays, no framework."""

from normbench.errors import InvalidArgumentError
from normbench.specs import (
    adam_clip,
    agd,
    baselines,
    fgsgd,
    fromage,
    geodesic_lbfgs,
    hyperball,
    method1,
    method2,
    muon_cap,
    online_lbfgs,
    peers,
    plug_ins,
    polar_average,
    scion,
)
from normbench.specs.base import LEARNING_RATE as LEARNING_RATE
from normbench.specs.base import SWITCH as SWITCH
from normbench.specs.base import Family as Family
from normbench.specs.base import Geometry as Geometry
from normbench.specs.base import Hyperparameter as Hyperparameter
from normbench.specs.base import LineDerivatives as LineDerivatives
from normbench.specs.base import Normalisation as Normalisation
from normbench.specs.base import OptimiserSpec as OptimiserSpec
from normbench.specs.base import suggestion as suggestion
from normbench.specs.plug_in import PlugIn as PlugIn
from normbench.specs.values import Value as Value

# the one list of optimisers: modules in this order, and in each its declarations as they stand there
_MODULES = (
    method1,
    method2,
    geodesic_lbfgs,
    online_lbfgs,
    polar_average,
    fromage,
    agd,
    fgsgd,
    baselines,
    scion,
    muon_cap,
    adam_clip,
    hyperball,
    peers,
)
_DECLARED = [
    (spec, module.__name__.rpartition(".")[2])
    for module in _MODULES
    for spec in vars(module).values()
    if isinstance(spec, OptimiserSpec)
]
_HOMES = {spec.key: name for spec, name in _DECLARED}
SPECS: dict[str, OptimiserSpec] = {spec.key: spec for spec, _ in _DECLARED}
AUTOMATIC = tuple(key for key, spec in SPECS.items() if spec.family is Family.AUTOMATIC)  # each has drop-in classes
PEERS = tuple(key for key, spec in SPECS.items() if spec.family is Family.PEER)
OWN = tuple(key for key in SPECS if key not in PEERS)  # each has a class for users, of ours or of a library
REFERENCED = tuple(key for key, spec in SPECS.items() if spec.backends is None)  # in every backend and the reference


def get(key: str) -> OptimiserSpec:
    """The declaration of one optimiser: ours, or that of another package, see :mod:`normbench.specs.plug_ins`.

    Raises
    ------
    InvalidArgumentError
        If no optimiser has that key; the message lists the known ones.
    PlugInError
        If another package's cannot be imported.
    """
    if isinstance(key, str):
        if key in SPECS:
            return SPECS[key]
        if (found := plug_ins.get(key)) is not None:
            return found.spec(key)
    others = plug_ins.offered(plug_ins.OPTIMISERS)
    installed = f", and of installed packages {', '.join(others)}" if others else ""
    raise InvalidArgumentError(
        f"no optimiser {key!r}.{suggestion(key, {**SPECS, **others})} The benchmark knows: {', '.join(SPECS)}"
        f"{installed}. Another class or function is named by its module: my_package.my_module:MyClass."
    )


def check_backend(spec: OptimiserSpec, backend: str) -> None:
    """Raise unless the backend implements the optimiser.

    Raises
    ------
    InvalidArgumentError
        Names those that do.
    """
    if not spec.runs_on(backend):
        choices = " or ".join(spec.backends or ())
        raise InvalidArgumentError(f"{spec.key} is not implemented on backend {backend!r}; choose {choices}.")


def on(backend: str) -> tuple[str, ...]:
    """The optimisers that a backend has."""
    return tuple(key for key, spec in SPECS.items() if spec.runs_on(backend))


def module_of(key: str) -> str:
    """The module of :mod:`normbench.specs` that declares an optimiser; those of every backend have the same name."""
    return _HOMES[get(key).key]
