"""How a network is trained on a user's table: the parameters of the estimators, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from normbench import backends, specs
from normbench.backends import Backend
from normbench.errors import InvalidArgumentError, argument
from normbench.estimators.batches import chosen
from normbench.numbers import as_integer, as_number, count, positive
from normbench.records import plug_ins
from normbench.running.request import DTYPES


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a network is trained, checked when it is made; as the parameters of the estimators."""

    lipschitz: float
    hidden: tuple[int, ...]
    optimiser: str
    hyperparameters: Mapping[str, Any] | None
    parametrisation: str | None
    backend: str | None
    dtype: str
    max_iter: int
    batch_size: int | None
    tol: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    seed: int

    def __post_init__(self) -> None:
        positive(argument("lipschitz"), self.lipschitz)
        if not isinstance(self.hyperparameters, Mapping | type(None)):
            raise InvalidArgumentError(
                f"{argument('hyperparameters')} must map names to values; got {self.hyperparameters!r}."
            )
        for width in self.hidden:
            count(f"every width in {argument('hidden')}", width)
        count(argument("max_iter"), self.max_iter)
        if self.batch_size is not None:
            count(argument("batch_size"), self.batch_size)
        tolerance = as_number(self.tol)
        if tolerance is None or not tolerance >= 0.0:
            raise InvalidArgumentError(
                f"{argument('tol')} must be at least 0; got {self.tol!r}. 0 makes {argument('max_iter')} iterations."
            )
        if not isinstance(self.early_stopping, bool | np.bool_):
            raise InvalidArgumentError(
                f"{argument('early_stopping')} must be True or False; got {self.early_stopping!r}."
            )
        fraction = as_number(self.validation_fraction)
        if fraction is None or not 0.0 < fraction < 1.0:
            raise InvalidArgumentError(
                f"{argument('validation_fraction')} must be a number between 0 and 1; got {self.validation_fraction!r}."
            )
        count("n_iter_no_change", self.n_iter_no_change)
        if self.dtype not in DTYPES:
            raise InvalidArgumentError(f"{argument('dtype')} must be {' or '.join(DTYPES)}; got {self.dtype!r}.")

    @property
    def spec(self) -> specs.OptimiserSpec:
        """The optimiser that is named, or the automatic one."""
        return chosen(self.optimiser, self.batch_size)

    @property
    def chosen_backend(self) -> Backend:
        """The named one; else the first of torch, which compiles nothing, JAX and NumPy that has the optimiser."""
        spec = self.spec
        if self.backend is None:
            usable = (each.name for each in backends.every() if not each.missing() and spec.runs_on(each.name))
            return backends.get(next(usable, (spec.backends or backends.names())[0]))
        found = backends.usable(self.backend)
        specs.check_backend(spec, found.name)
        return found

    @property
    def trained_in(self) -> str:
        """The dtype of the training."""
        return self.chosen_backend.dtype_for(self.dtype)

    def provenance(self) -> dict[str, str]:
        """What makes the numbers, beside the table: choices that are left open in the parameters, and versions."""
        backend = self.chosen_backend
        return {
            "normbench": version("normbench"),
            "numpy": version("numpy"),
            "optimiser": self.spec.key,
            **_brought_by(self.spec),
            "backend": backend.name,
            **{library: version(library) for library in backend.libraries},
            "dtype": self.trained_in,
            "seed": str(self.seed),
        }


def _brought_by(spec: specs.OptimiserSpec) -> dict[str, str]:
    """Package and version of another package's optimiser."""
    said = plug_ins.provenance(spec.key)
    return {f"optimiser_{name}": said[name] for name in (plug_ins.PACKAGE, plug_ins.VERSION) if name in said}


def seed_of(random_state: Any) -> int:
    """The seed that a ``random_state`` of scikit-learn gives.

    Raises
    ------
    InvalidArgumentError
        If it gives none.
    """
    given = as_integer(random_state)
    try:
        found = int(check_random_state(random_state).randint(2**31 - 1)) if given is None else given
    except ValueError:
        found = -1
    if found < 0:
        raise InvalidArgumentError(
            f"random_state must be an integer of at least 0, a numpy.random.RandomState or None; got {random_state!r}."
        )
    return found
