"""The types in which an optimiser is declared: hyperparameters with ranges, and what pins the update."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, NoReturn

from normbench.errors import InvalidArgumentError, argument
from normbench.specs.hyperparameter import SWITCH as SWITCH
from normbench.specs.hyperparameter import Hyperparameter as Hyperparameter
from normbench.specs.values import Value, value_text

OTHERS = "others"  # in place of a key: every parametrisation but an optimiser's own
LEARNING_RATE = "learning_rate"  # what schedules change, by this name in every declaration


class Normalisation(Enum):
    """How data and initial weights are scaled before an optimiser sees them."""

    SPHERES = "Algorithm 1 of arXiv 2312.10672"
    PRESCRIPTION = "prescription 1 of arXiv 2304.05187"
    MANIFOLDS = "scaled manifolds of FG-SGD"


class Geometry(StrEnum):
    """Where the variables lie that an optimiser moves."""

    FREE = "free"  # anywhere
    SPHERE = "sphere"  # matrices of Frobenius norm 1
    STIEFEL = "stiefel"  # matrices of operator norm at most 1: the top blocks of matrices with orthonormal columns


class LineDerivatives(StrEnum):
    """When an optimiser takes derivatives of the loss along its curve beyond the first, which no trainer counts.

    Each costs about a gradient. There is one, or as many as a hyperparameter ``order`` says beyond the first.
    """

    NEVER = "never"
    START = "at the first step"
    ALWAYS = "at every step"


class Family(StrEnum):
    """What an optimiser is to the benchmark."""

    AUTOMATIC = "automatic"  # from the papers, with a reference of our own
    BASELINE = "baseline"  # what everyone tries first, with a reference of our own
    PEER = "peer"  # what a user would pick instead; from kept libraries, or with a reference where none holds its word
    PLUG_IN = "plug-in"  # of another package, see normbench.specs.plug_ins


class Constant(NamedTuple):
    """What a drop-in class asks of a user's network, data or loss; a run of the benchmark has it from its problem."""

    name: str
    default: float | str | None
    meaning: str


@dataclass(frozen=True)
class OptimiserSpec:
    """What an optimiser is, declared once for every backend.

    Attributes
    ----------
    key : str
        Registry key, snake_case.
    title : str
        Name shown in tables.
    paper : str
        arXiv identifier or other source.
    equations : str
        The equations, algorithm or section that define the update.
    normalisation : Normalisation
        The scaling of data and initial weights that the update assumes.
    iterations : int
        Iterations of a run when the caller names none: the paper's where it gives one, else as many for everyone.
    evaluations : int
        That an iteration is planned as, where neither derivatives along curves nor residuals say it: the fewest that
        move the weights. Those that it makes are counted.
    family : Family
    backends : tuple of str, or None
        Of a peer from libraries, those that have it; None where every backend implements it, the reference too.
    full_batch : bool
        True if an iteration compares losses with the last one's, which mini-batches would mix up.
    bounded : bool
        True if it needs a network whose layers all have a known operator norm.
    least_squares : bool
        True if it needs the square loss of samples one by one, and a matrix with a row and a column for each weight.
    geometries : tuple of Geometry
        Where it can move variables.
    parametrisation : str
        Through which it runs unless the caller says otherwise, see :mod:`normbench.specs.parametrisations`.
    unsuited : tuple of pairs of str
        Parametrisations that its geometries admit and that make no sense with it, each with the reason: a sentence
        whose subject is the optimiser. :data:`OTHERS` stands for all but its own, those to come included.
    line_derivatives : LineDerivatives
    stable : int or None
        Iterations over which runs that differ in rounding alone stay together: to 1e-9 in float64, on real data. In
        float32 they part at once. None for one whose runs stay together as long as they are.
    hyperparameters : tuple of Hyperparameter
        At most two have a grid. The first is what a user has to tune; the second is searched at the first's best value
        where that is asked for, and its default is one of its grid.
    constants : tuple of Constant
        What its drop-in classes take beside them.
    state : tuple of str
        What the optimiser carries between iterations, beyond the weights.
    invariants : tuple of str
        What holds after every step; each is a test.
    notes : tuple of str
        What the paper leaves open and is pinned here, and each departure from it.
    fixed : tuple of pairs of str
        Of another package's: arguments that stay at their defaults, each with its default.
    """

    key: str
    title: str
    paper: str
    equations: str
    normalisation: Normalisation = Normalisation.SPHERES
    iterations: int = 200
    evaluations: int = 1
    family: Family = Family.AUTOMATIC
    backends: tuple[str, ...] | None = None
    full_batch: bool = False
    bounded: bool = False
    least_squares: bool = False
    geometries: tuple[Geometry, ...] = (Geometry.FREE,)
    parametrisation: str = "free"
    unsuited: tuple[tuple[str, str], ...] = ()
    line_derivatives: LineDerivatives = LineDerivatives.NEVER
    stable: int | None = None
    hyperparameters: tuple[Hyperparameter, ...] = ()
    constants: tuple[Constant, ...] = ()
    state: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    fixed: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        names = [h.name for h in self.hyperparameters]
        if len(set(names)) != len(names):
            raise InvalidArgumentError(f"optimiser {self.key!r} declares a hyperparameter twice: {names}.")
        if len(self.searched) > 2:
            raise InvalidArgumentError(
                f"optimiser {self.key!r} has grids for {', '.join(h.name for h in self.searched)}; two are searched at "
                "most. Leave the others without one."
            )
        if self.second is not None and self.second.default not in self.second.grid:
            raise InvalidArgumentError(
                f"the grid of {self.second.name!r} of optimiser {self.key!r}, {self.second.grid}, lacks its default, "
                f"{self.second.default!r}, at which {self.searched[0].name!r} is searched. Add it."
            )
        if self.iterations < 1:
            raise InvalidArgumentError(f"optimiser {self.key!r} needs iterations >= 1; got {self.iterations}.")
        if self.evaluations < 1:
            raise InvalidArgumentError(f"optimiser {self.key!r} needs evaluations >= 1; got {self.evaluations}.")
        if self.backends is not None and not self.backends:
            raise InvalidArgumentError(f"optimiser {self.key!r} has no backend. Name one, or None for all of them.")

    def runs_on(self, backend: str) -> bool:
        """True if the backend implements it."""
        return self.backends is None or backend in self.backends

    @property
    def searched(self) -> tuple[Hyperparameter, ...]:
        """The hyperparameters that have a grid, in the order in which they are searched."""
        return tuple(h for h in self.hyperparameters if h.grid)

    @property
    def tuned(self) -> Hyperparameter | None:
        """The hyperparameter that a user has to tune, or None."""
        return next(iter(self.searched), None)

    @property
    def second(self) -> Hyperparameter | None:
        """The one that is searched at the best value of the first where that is asked for, or None."""
        return self.searched[1] if len(self.searched) > 1 else None

    @property
    def defaults(self) -> dict[str, Any]:
        """Every hyperparameter and constant of its drop-in classes with its default."""
        return self.resolve({}) | {constant.name: constant.default for constant in self.constants}

    def resolve(self, given: Mapping[str, Value]) -> dict[str, Any]:
        """Every hyperparameter with its value: the given one where there is one, else the default.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown, a value is out of range, or one without a default is not given.
        """
        known = {h.name: h for h in self.hyperparameters}
        for name in given:
            if name not in known:
                self.refuse(name)
        for name, h in known.items():
            if h.required and name not in given:
                example = f"{name}={value_text(h.example)}"
                raise InvalidArgumentError(
                    f"{name} of {self.key} has no default. Give it a value by {argument('hyperparameters')}, such as "
                    f"{example}."
                )
        return {name: h.check(given.get(name, h.default)) for name, h in known.items()}

    def refuse(self, name: str) -> NoReturn:
        """Say that there is no hyperparameter of that name, or that it cannot be set.

        Raises
        ------
        InvalidArgumentError
        """
        known = {h.name: h for h in self.hyperparameters}
        if name in dict(self.fixed):
            raise InvalidArgumentError(
                f"{name} of {self.key} is {dict(self.fixed)[name]} unless the package says otherwise, and cannot be "
                "set: only numbers, several of them, and truth values can. Set it in a class or function of your own, "
                "and name that as the optimiser."
            )
        raise InvalidArgumentError(
            f"{self.key} has no hyperparameter {name!r}.{suggestion(name, known)}"
            f" It takes: {', '.join(known) or 'none'}."
        )


def suggestion(name: object, choices: Mapping[str, object]) -> str:
    """`` Did you mean 'x'?`` for the closest choice, or nothing when none is close, or the name is no text."""
    close = difflib.get_close_matches(name, choices, n=1) if isinstance(name, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""
