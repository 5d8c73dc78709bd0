"""Records read back: of this and of earlier schemas, with every type, value and checksum looked at.

Whatever a file holds, it gives a record or one :class:`~normbench.errors.RecordError` of bounded length that names the
file and the field.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from normbench.errors import RecordError
from normbench.records.identity import checksum
from normbench.records.record import CHECKSUM, PARTS, SCHEMA_VERSION, VERSION, Record, stored_fields
from normbench.records.sense import objections
from normbench.records.strict_json import brief, parse
from normbench.running.request import axes
from normbench.running.result import Curves
from normbench.specs import Value

__all__ = ["SCHEMA_VERSION", "Record", "from_dict", "from_json"]

_READABLE = (1, 2, 3, 4, 5, 6, SCHEMA_VERSION)
_WITH_CHECKSUM = 4  # the first schema that has one
_REMEDY = "Move the file elsewhere and run again."


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
        If the text is no JSON object, a field is missing, unknown, of the wrong type or out of its range, or the
        fields are not those of the checksum.
    """
    try:
        raw, unusual = parse(text)
    except (ValueError, MemoryError) as error:
        raise RecordError(f"{source} is not valid JSON ({error}); it may be truncated. {_REMEDY}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"{source} holds {type(raw).__name__} instead of a JSON object. {_REMEDY}")
    record = from_dict(raw, source=source)
    if unusual and raw[VERSION] >= _WITH_CHECKSUM:
        raise RecordError(f"{source} was edited: normbench does not write {brief(unusual[0])}. {_REMEDY}")
    return record


def from_dict(raw: Mapping[str, Any], *, source: str) -> Record:
    """A record from its fields in plain types and, since schema 4, their checksum; errors as :func:`from_json`."""
    given = dict(raw)
    version = _version(given, source)
    sum_ = given.pop(CHECKSUM, None) if version >= _WITH_CHECKSUM else None
    record = _record(_upgraded(given, version), source)
    for objection in objections(record):
        raise RecordError(f"{source}: {objection}. {_REMEDY}")
    if version >= _WITH_CHECKSUM and sum_ != checksum(given):
        found = "has no checksum" if sum_ is None else "does not have the checksum that it carries"
        raise RecordError(f"{source} {found}: it was edited or damaged. {_REMEDY}")
    return record


def _record(raw: dict[str, Any], source: str) -> Record:
    values = _values({f.name: f.type for f in stored_fields()}, raw, source)
    return Record(**{part: kind(**{f.name: values[f.name] for f in fields(kind)}) for part, kind in PARTS.items()})


def _version(raw: Mapping[str, Any], source: str) -> int:
    found = raw.get(VERSION)
    if type(found) is not int or found not in _READABLE:
        raise RecordError(
            f"{source}: field {VERSION!r} is {brief(found)}; this normbench reads "
            f"{' and '.join(map(str, _READABLE))}. Read it with the normbench that wrote it, or delete the file and "
            "run again."
        )
    return found


_LATER_CURVES = (
    *("seconds", "loss_evaluations", "gradient_evaluations"),  # since schema 2
    *("train_rms", "test_rms", "train_accuracy", "test_accuracy"),  # since schema 3
)
_LATER_FIELDS = {
    **dict.fromkeys(("lipschitz_measured", "train_accuracy", "test_accuracy")),  # since schemas 2 and 3
    **{"lipschitz_certificate": None, "certified_by": ""},  # since schema 5
    **dict.fromkeys(("tuning_low", "tuning_high")),  # since schema 6
    **{"tuning_second_runs": 0, "tuning_second_low": None, "tuning_second_high": None},  # since schema 7
}


_WITHOUT_A_VERSION: dict[str, Any] = {"given": False, "plug_in": {}}


def _upgraded(raw: dict[str, Any], version: int) -> dict[str, Any]:
    """The fields of the present schema; what an earlier one did not hold is NaN, empty or the default.

    A field of a request, or what is said of optimisers of other packages, may be younger than its file and is at its
    default, too: the checksum of the file guards what was
    there when it was written.
    """
    later = {axis.name: axis.default for axis in axes() if not axis.original} | _WITHOUT_A_VERSION
    given = later | {name: value for name, value in raw.items() if name != VERSION}
    if version == SCHEMA_VERSION:
        return given
    curves = raw.get("curves")
    if isinstance(curves, dict):
        curves = {name: [] for name in _LATER_CURVES} | curves
    return _LATER_FIELDS | given | {"curves": curves}


def _values(expected: Mapping[str, Any], raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The values as their types, of exactly the fields expected."""
    for name in expected.keys() - raw.keys():
        raise RecordError(f"{source}: field {name!r} is missing. {_REMEDY}")
    for name in raw.keys() - expected.keys():
        raise RecordError(
            f"{source}: field {brief(name)} is unknown; a newer normbench may have written it, which can read it. "
            f"{_REMEDY}"
        )
    return {name: _read(raw[name], kind, f"{source}: field {name!r}") for name, kind in expected.items()}


def _read(value: Any, kind: Any, where: str) -> Any:
    """``value`` as the field type ``kind``, with null read as NaN where a float is due."""
    if kind is Curves:
        if not isinstance(value, dict):
            raise RecordError(f"{where}: expected an object for Curves, got {brief(value)}. {_REMEDY}")
        return Curves(**_values({f.name: f.type for f in fields(Curves)}, value, where))
    reader = _READERS[kind]
    try:
        return reader(value)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"{where} has the wrong type: {brief(value)}. {_REMEDY}") from error


def _exactly(kind: type) -> Any:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return read


def _float(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _tuple(kind: type, item: Any) -> Any:
    def read(value: Any) -> Any:
        found = _exactly(list)(value)  # of a curve mostly, in which every number is of the kind
        return tuple(found) if set(map(type, found)) == {kind} else tuple(map(item, found))

    return read


def _mapping(item: Any) -> Any:
    return lambda value: {str(k): item(v) for k, v in value.items()}


def _hyperparameter(value: Any) -> Value:
    if value is None or type(value) in (int, float, str):
        return value
    if type(value) is list and value and all(type(item) in (int, float) for item in value):
        return tuple(value)
    raise TypeError


_READERS: dict[Any, Any] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: _float,
    int | None: lambda value: None if value is None else _exactly(int)(value),
    str | None: lambda value: None if value is None else _exactly(str)(value),
    float | None: lambda value: None if value is None or math.isnan(value) else _float(value),
    tuple[int, ...]: _tuple(int, _exactly(int)),
    tuple[float, ...]: _tuple(float, _float),
    dict[str, Value]: _mapping(_hyperparameter),
    dict[str, str]: _mapping(_exactly(str)),
    dict[str, dict[str, float]]: _mapping(_mapping(_float)),
}
