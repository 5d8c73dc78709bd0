"""What identifies a run before it starts; everything here changes numbers, nothing else does.

The fields are declared once, in :class:`Asked`, each with what the rest of the program has to know of it. Identity and
file name of a record, the boards and rows that hold it, what ``compare`` pairs, labels, columns of JSON and CSV and the
command that makes a row again are all derived from that declaration, through :func:`axes` and :func:`setting`.
"""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any, Generic, TypeVar

from normbench import backends, specs
from normbench.data.splits import RULES
from normbench.errors import InvalidArgumentError
from normbench.networks.families import check_layers
from normbench.problems import tasks
from normbench.specs import Value

DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
SPLITS = tuple(RULES)
SCHEDULES = ("constant", "plateau")

Values = TypeVar("Values")  # hyperparameters: pairs in a request, which can be hashed, and a mapping in a record
_DECLARED = "axis"
ALWAYS = object()  # in the place of a usual value: there is none, every value is said


class Level(Enum):
    """What two runs are to each other that differ in one field."""

    BOARD = "on boards of their own"
    ROW = "rows of their own on one board"
    RUN = "runs of one row"


class Place(Enum):
    """Where the label of a row says the value."""

    NAME = "in words of its own: the optimiser, its hyperparameters, the number of iterations"
    WHERE = "beside the backend"
    HOW = "behind the optimiser"


@dataclass(frozen=True)
class Axis:
    """What the rest of the program knows of a field of a request.

    Attributes
    ----------
    separates : Level
    place : Place
    words : str
        How a label says the value: ``batch {}``.
    usual : object
        The value that labels and commands leave unsaid; :data:`ALWAYS` where there is none.
    option : str
        Of ``normbench run``, which makes the value; "" where none does.
    name : str
        Of the field.
    default : object
        Its default, which is no part of an identity, so that records from before the field keep their names;
        :data:`ALWAYS` where it has none.
    """

    separates: Level
    place: Place = Place.NAME
    words: str = "{}"
    usual: Any = ALWAYS
    option: str = ""
    name: str = ""
    default: Any = ALWAYS

    def label(self, value: Any) -> str:
        """The value in words, or "" where it is the usual one."""
        return "" if value == self.usual else self.words.format(value)


def axis(
    separates: Level, place: Place = Place.NAME, *, words: str = "{}", usual: Any = ALWAYS, option: str = ""
) -> dict[str, Axis]:
    """The metadata of a field that is an :class:`Axis`."""
    return {_DECLARED: Axis(separates, place, words, usual, option)}


@dataclass(frozen=True, kw_only=True)
class Asked(Generic[Values]):
    """The fields of a request, which its record has, too.

    Attributes
    ----------
    task, split, optimiser, backend, device, dtype : str
    layers : tuple of int
        Widths d_0, ..., d_L.
    hyperparameters : tuple of (name, value), or mapping of name to value
        Every hyperparameter of the optimiser, in the order of its declaration.
    seed, iterations : int
    batch_size : int or None
        Samples that an iteration sees; None for the whole training set.
    schedule : str
        "constant", or "plateau": the learning rate falls to a tenth where the training loss no longer falls.
    """

    task: str = field(metadata=axis(Level.BOARD, option="--task"))
    optimiser: str = field(metadata=axis(Level.ROW, option="--optimiser"))
    hyperparameters: Values = field(metadata=axis(Level.ROW))
    backend: str = field(metadata=axis(Level.ROW, Place.WHERE, option="--backend"))
    seed: int = field(metadata=axis(Level.RUN, option="--seeds"))
    iterations: int = field(metadata=axis(Level.ROW, words="{} it.", option="--iterations"))
    layers: tuple[int, ...] = field(metadata=axis(Level.BOARD, option="--layers"))
    split: str = field(metadata=axis(Level.BOARD, option="--split"))
    device: str = field(metadata=axis(Level.ROW, Place.WHERE, usual=DEVICES[0], option="--device"))
    dtype: str = field(metadata=axis(Level.ROW, Place.WHERE, usual=DTYPES[0], option="--dtype"))
    batch_size: int | None = field(
        default=None, metadata=axis(Level.ROW, Place.HOW, words="batch {}", usual=None, option="--batch-size")
    )
    schedule: str = field(
        default=SCHEDULES[0], metadata=axis(Level.ROW, Place.HOW, usual=SCHEDULES[0], option="--schedule")
    )


def declared(kind: type[Any]) -> tuple[Axis, ...]:
    """The axes among the fields of a dataclass, in their order."""
    return tuple(
        replace(f.metadata[_DECLARED], name=f.name, default=ALWAYS if f.default is MISSING else f.default)
        for f in fields(kind)
        if _DECLARED in f.metadata
    )


AXES = declared(Asked)


def axes(*levels: Level) -> tuple[Axis, ...]:
    """The axes that separate on these levels, or all."""
    return tuple(axis for axis in AXES if not levels or axis.separates in levels)


def setting(asked: Any, *levels: Level, without: Collection[str] = ()) -> tuple[tuple[str, Any], ...]:
    """Name and value of every axis of these levels, but those left out, as something that can be compared and hashed.

    Parameters
    ----------
    asked : RunRequest or Record
    levels : Level
        All where none is named.
    without : collection of str
        Names of axes.
    """
    return tuple((axis.name, _frozen(getattr(asked, axis.name))) for axis in axes(*levels) if axis.name not in without)


def _frozen(value: Any) -> Any:
    """Pairs in the order of their names for a mapping; numbers as floats there, so that 1 and 1.0 are one value."""
    if isinstance(value, Mapping):
        return tuple((name, _as_float(v)) for name, v in sorted(value.items()))
    return tuple(value) if isinstance(value, list) else value


def _as_float(value: Value) -> Value:
    return float(value) if isinstance(value, int | float) else value


@dataclass(frozen=True, kw_only=True)
class RunRequest(Asked[tuple[tuple[str, Value], ...]]):
    """One run, fully specified; build it with :func:`request`, which fills defaults and checks."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types for hashing and storing: layers as a list, hyperparameters as a mapping."""
        return asdict(self) | {"layers": list(self.layers), "hyperparameters": dict(self.hyperparameters)}


def request(
    *,
    task: str,
    layers: tuple[int, ...],
    optimiser: str,
    backend: str,
    seed: int,
    hyperparameters: Mapping[str, Value] | None = None,
    iterations: int | None = None,
    split: str = "random",
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: int | None = None,
    schedule: str = SCHEDULES[0],
) -> RunRequest:
    """A checked request; ``iterations`` defaults to the number of the task, or else of the optimiser.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a hyperparameter is out of range, or backend, device and dtype do not fit together.
    """
    entry = tasks.get(task)
    spec = specs.get(optimiser)
    for name, value, choices in (
        ("backend", backend, backends.names()),
        ("device", device, DEVICES),
        ("dtype", dtype, DTYPES),
        ("split", split, SPLITS),
        ("schedule", schedule, SCHEDULES),
    ):
        if value not in choices:
            raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
    if not spec.runs_on(backend):
        raise InvalidArgumentError(
            f"{optimiser} is not implemented on backend {backend!r}; choose {' or '.join(spec.backends or ())}."
        )
    computes = backends.get(backend)
    if dtype not in computes.dtypes or device not in computes.devices:
        raise InvalidArgumentError(
            f"backend {backend!r} runs in {' or '.join(computes.dtypes)} on {' or '.join(computes.devices)} only; got "
            f"dtype={dtype!r}, device={device!r}."
        )
    iterations = iterations if iterations is not None else entry.iterations or spec.iterations
    if iterations < 1:
        raise InvalidArgumentError(f"iterations must be at least 1; got {iterations}.")
    if seed < 0:
        raise InvalidArgumentError(f"seed must be at least 0; got {seed}.")
    check_layers(layers)
    if batch_size is not None and batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be at least 1; got {batch_size}. Leave it out for full batches.")
    resolved = spec.resolve(hyperparameters or {})
    if schedule != SCHEDULES[0] and "learning_rate" not in resolved:
        raise InvalidArgumentError(
            f"schedule {schedule!r} changes a learning rate, and {optimiser} has none. Leave schedule out."
        )
    return RunRequest(
        task=task,
        split=split,
        layers=tuple(layers),
        optimiser=optimiser,
        hyperparameters=tuple(resolved.items()),
        backend=backend,
        device=device,
        dtype=dtype,
        seed=seed,
        iterations=iterations,
        batch_size=batch_size,
        schedule=schedule,
    )
