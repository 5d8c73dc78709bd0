"""What makes two runs the same run: the identity of a record, which is the name of its file.

Derived from the declaration of a request (:func:`normbench.running.request.axes`), with the data and the code beside.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from normbench.running.request import RunRequest, axes, setting

_AS_THEY_ARE = {int, bool, str, type(None)}


def identify(request: RunRequest, *, data_sha256: str, code_version: str) -> str:
    """SHA-256 (first 32 hexadecimal digits) of everything that determines the numbers of a run.

    Integers and floats of equal value count as equal, so 1 and 1.0 give the same run. A field that came later than the
    first records is left out at its default, so that they keep their names.
    """
    said = dict(setting(request))
    for axis in axes():
        if not axis.original and said[axis.name] == axis.default:
            del said[axis.name]
    said |= {"hyperparameters": dict(said["hyperparameters"])}
    said |= {"data_sha256": data_sha256, "code_version": code_version}
    return hashlib.sha256(_text(said)).hexdigest()[:32]


def checksum(record: Mapping[str, Any]) -> str:
    """SHA-256 of every field of a record; 1 and 1.0 are one value, as some files know no other."""
    return hashlib.sha256(_text(_same_numbers(record))).hexdigest()


def _text(value: Any) -> bytes:
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def plain(value: Any) -> Any:
    """Nested lists, dictionaries and scalars in which every non-finite float is None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))  # a loop in Python over curves would take most of the reading of a record
        usual = kinds <= _AS_THEY_ARE or (kinds == {float} and all(map(math.isfinite, value)))
        return list(value) if usual else [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _same_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _same_numbers(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        if kinds == {float} and all(map(float.is_integer, value)):
            return list(map(int, value))
        usual = kinds <= _AS_THEY_ARE or (kinds == {float} and not any(map(float.is_integer, value)))
        return list(value) if usual else [_same_numbers(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
