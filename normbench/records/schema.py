"""The record of one run: its fields, its identity, and how it is written as strict JSON and read back.

Not-a-number and infinity are stored as ``null``, because JSON has neither, and read back as NaN.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from normbench.errors import RecordError
from normbench.specs import Value

SCHEMA_VERSION = 3
_READABLE = (1, 2, SCHEMA_VERSION)

IDENTITY = (
    "task",
    "data_sha256",
    "split",
    "layers",
    "optimiser",
    "hyperparameters",
    "backend",
    "device",
    "dtype",
    "seed",
    "iterations",
    "code_version",
    "batch_size",
    "schedule",
)
_UNSAID = {"batch_size": None, "schedule": "constant"}  # no part of an identity, as before there were others
_NEVER = object()
_REMEDY = "Delete the file and run again."


@dataclass(frozen=True)
class Curves:
    """What a run did over its iterations.

    Attributes
    ----------
    loss : tuple of float
        Normalised training loss before each iteration and after the last.
    step_size : tuple of float
        The optimiser's own step, one per iteration.
    test_iterations : tuple of int
    test_loss : tuple of float
        Normalised test loss after those iterations.
    seconds : tuple of float
        Seconds of training up to those iterations.
    loss_evaluations, gradient_evaluations : tuple of int
        Passes over the training set made by the time each entry of ``loss`` was known.
    train_rms, test_rms, train_accuracy, test_accuracy : tuple of float
        Errors after ``test_iterations`` in the unit of the record, where the losses do not tell them: for classes, for
        cross-entropy and with mini-batches.
    """

    loss: tuple[float, ...] = ()
    step_size: tuple[float, ...] = ()
    test_iterations: tuple[int, ...] = ()
    test_loss: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    loss_evaluations: tuple[int, ...] = ()
    gradient_evaluations: tuple[int, ...] = ()
    train_rms: tuple[float, ...] = ()
    test_rms: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()


@dataclass(frozen=True)
class Record:
    """One run, finished or not. Figures that do not exist (a diverged run has no RMS) are NaN.

    Attributes
    ----------
    task, split, optimiser, backend, device, dtype, seed, iterations, layers, hyperparameters, batch_size, schedule
        What was asked for, as in :class:`normbench.training.request.RunRequest`.
    simulated : bool
        True if a simulator made the data.
    status : str
        "done", "stalled", "diverged" or "failed"; ``reason`` says why where it is not "done".
    train_rms, test_rms : float
        Root-mean-square error norm after the last iteration, in ``unit``; of probabilities for classes.
    train_accuracy, test_accuracy : float
        Share of samples classified rightly; None for regression, and where the run diverged.
    train_loss, test_loss : float
        The same in normalised units, as the optimiser saw it.
    lipschitz_bound : float
        prod ||W_i||_op after the last iteration, in ``unit`` per unit-norm input.
    lipschitz_measured : float
        Largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, in the same unit; never above the bound.
    seconds_train, seconds_compile, seconds_evaluate, seconds_transfer, seconds_per_iteration : float
    loss_evaluations, gradient_evaluations, halvings, iterations_done : int
    tuning_runs : int
        Runs that the choice of the hyperparameters cost; 0 for defaults. No part of the identity.
    data_sha256, code_version : str
    threads : int
        Threads that the run was allowed.
    predictors : mapping of str to mapping of str to float
        RMS of the trivial predictors on this run's split: ``{"zero": {"train": ..., "test": ...}, ...}``.
    curves : Curves
    environment : mapping of str to str
    created : str
        UTC, ISO 8601.
    schema_version : int
    """

    task: str
    simulated: bool
    optimiser: str
    hyperparameters: dict[str, Value]
    backend: str
    device: str
    dtype: str
    seed: int
    iterations: int
    status: str
    train_rms: float
    test_rms: float
    train_loss: float
    test_loss: float
    unit: str
    lipschitz_bound: float
    lipschitz_measured: float
    seconds_train: float
    seconds_compile: float
    seconds_evaluate: float
    seconds_transfer: float
    seconds_per_iteration: float
    loss_evaluations: int
    gradient_evaluations: int
    halvings: int
    iterations_done: int
    tuning_runs: int
    split: str
    layers: tuple[int, ...]
    data_sha256: str
    code_version: str
    reason: str
    threads: int
    predictors: dict[str, dict[str, float]]
    curves: Curves
    environment: dict[str, str]
    created: str
    batch_size: int | None = None
    schedule: str = "constant"
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    schema_version: int = SCHEMA_VERSION

    @cached_property
    def record_id(self) -> str:
        """Content hash of everything that determines the run's numbers, see :func:`identify`."""
        return identify({name: getattr(self, name) for name in IDENTITY})

    def as_dict(self) -> dict[str, Any]:
        """Every field in plain types that strict JSON can hold."""
        return _plain(asdict(self))

    def to_json(self) -> str:
        """The record as one JSON object, NaN and infinity as null."""
        return json.dumps(self.as_dict(), allow_nan=False, indent=1) + "\n"


def identify(identity: Mapping[str, Any]) -> str:
    """SHA-256 (first 32 hexadecimal digits) of the fields in :data:`IDENTITY`, whatever their order.

    Integers and floats of equal value count as equal, so 1 and 1.0 give the same run.
    """
    plain = _plain({name: identity[name] for name in IDENTITY if identity[name] != _UNSAID.get(name, _NEVER)})
    plain["hyperparameters"] = {k: _as_float(v) for k, v in plain["hyperparameters"].items()}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def from_json(text: str, *, source: str) -> Record:
    """Read a record back.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for messages.

    Raises
    ------
    RecordError
        If the text is no JSON object, or a field is missing, unknown or of the wrong type.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{source} is not valid JSON ({error}); it may be truncated. {_REMEDY}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"{source} holds {type(raw).__name__} instead of a JSON object. {_REMEDY}")
    return from_dict(raw, source=source)


def from_dict(raw: Mapping[str, Any], *, source: str) -> Record:
    """A record from its fields in plain types, as :meth:`Record.as_dict` gives them; errors as :func:`from_json`."""
    return _build(Record, _upgraded(raw, source), source)


_LATER_CURVES = (
    *("seconds", "loss_evaluations", "gradient_evaluations"),  # since schema 2
    *("train_rms", "test_rms", "train_accuracy", "test_accuracy"),  # since schema 3
)
_LATER_FIELDS = {"lipschitz_measured": None, "train_accuracy": None, "test_accuracy": None} | _UNSAID


def _upgraded(raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The record in the present schema; what an earlier one did not hold is NaN or empty."""
    found = raw.get("schema_version")
    if found not in _READABLE:
        raise RecordError(
            f"{source}: field 'schema_version' is {found!r}; this normbench reads {' and '.join(map(str, _READABLE))}. "
            "Read it with the normbench that wrote it, or delete the file and run again."
        )
    if found == SCHEMA_VERSION:
        return dict(raw)
    curves = raw.get("curves")
    if isinstance(curves, dict):
        curves = {name: [] for name in _LATER_CURVES} | curves
    return _LATER_FIELDS | dict(raw) | {"curves": curves, "schema_version": SCHEMA_VERSION}


def _build(kind: type, raw: Any, source: str) -> Any:
    if not isinstance(raw, dict):
        raise RecordError(f"{source}: expected an object for {kind.__name__}, got {raw!r}. {_REMEDY}")
    expected = {f.name: f.type for f in fields(kind)}
    for name in expected.keys() - raw.keys():
        raise RecordError(f"{source}: field {name!r} is missing. {_REMEDY}")
    for name in raw.keys() - expected.keys():
        raise RecordError(f"{source}: field {name!r} is unknown; a newer normbench may have written it. {_REMEDY}")
    return kind(**{name: _read(raw[name], kind_, f"{source}: field {name!r}") for name, kind_ in expected.items()})


def _read(value: Any, kind: Any, where: str) -> Any:
    """``value`` as the field type ``kind``, with null read as NaN where a float is due."""
    if kind is Curves:
        return _build(Curves, value, where)
    if kind is float and value is None:
        return math.nan
    reader = _READERS[kind]
    try:
        return reader(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where} has the wrong type: {value!r}. {_REMEDY}") from error


def _exactly(kind: type) -> Any:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return read


def _float(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _mapping(item: Any) -> Any:
    return lambda value: {str(k): item(v) for k, v in value.items()}


def _as_float(value: Value) -> Value:
    return float(value) if isinstance(value, (int, float)) else value


def _hyperparameter(value: Any) -> Value:
    if value is None or type(value) in (int, float, str):
        return value
    raise TypeError


_READERS: dict[Any, Any] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: _float,
    int | None: lambda value: None if value is None else _exactly(int)(value),
    float | None: lambda value: None if value is None or math.isnan(value) else _float(value),
    tuple[int, ...]: lambda value: tuple(_exactly(int)(v) for v in _exactly(list)(value)),
    tuple[float, ...]: lambda value: tuple(_float(v) for v in _exactly(list)(value)),
    dict[str, Value]: _mapping(_hyperparameter),
    dict[str, str]: _mapping(_exactly(str)),
    dict[str, dict[str, float]]: _mapping(_mapping(_float)),
}


def _plain(value: Any) -> Any:
    """Nested lists, dictionaries and scalars in which every non-finite float is None."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
