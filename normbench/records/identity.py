"""What makes two runs the same run: the identity of a record, which is the name of its file.

Derived from the declaration of a request (:func:`normbench.running.request.axes`), with the data and the code beside.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from normbench.running.request import axes
from normbench.specs import Value

MADE_WITH = ("data_sha256", "code_version")


def identity_fields() -> tuple[str, ...]:
    """Names of everything that determines the numbers of a run."""
    return (*(axis.name for axis in axes()), *MADE_WITH)


def identify(identity: Mapping[str, Any]) -> str:
    """SHA-256 (first 32 hexadecimal digits) of the fields in :func:`identity_fields`, whatever their order.

    Integers and floats of equal value count as equal, so 1 and 1.0 give the same run. A field that is at the default
    of its declaration is left out: it came later than the first records, which keep their names.
    """
    unsaid = {axis.name: axis.default for axis in axes()}
    named = {name: identity[name] for name in identity_fields()}
    said = plain({name: value for name, value in named.items() if name in MADE_WITH or value != unsaid[name]})
    said["hyperparameters"] = {name: _as_float(value) for name, value in said["hyperparameters"].items()}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def checksum(fields: Mapping[str, Any]) -> str:
    """SHA-256 of every field of a record in plain types; 1 and 1.0 are one value, as some files know no other."""
    text = json.dumps(_same_numbers(fields), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Nested lists, dictionaries and scalars in which every non-finite float is None."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _as_float(value: Value) -> Value:
    return float(value) if isinstance(value, int | float) else value


def _same_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _same_numbers(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_same_numbers(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
