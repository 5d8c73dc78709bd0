"""JSON of strangers: read so that nothing in it can do more than raise one short ValueError."""

import json
import math
import re
import reprlib
from collections.abc import Callable
from typing import Any, NamedTuple

_LARGEST = 2**63  # of an integer: what tables can hold
_INDENTED = re.compile(r"\n *")
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


def brief(value: Any) -> str:
    """``repr`` of anything, cut to a line."""
    return _BRIEF.repr(value)


def reason(error: BaseException) -> str:
    """What an error says, cut to a line or two."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 300 else f"{text[:300]} ..."


class Parsed(NamedTuple):
    """What a text holds.

    Attributes
    ----------
    value : object
    unusual : tuple of str
        Numbers that are not written as Python writes them, such as 1E-5: this text was not written here.
    """

    value: Any
    unusual: tuple[str, ...]


def parse(text: str) -> Parsed:
    """The value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON, holds a key twice, nests too deeply, or a number is NaN, infinite or too large.
    """
    try:
        return _parsed(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


def _parsed(text: str) -> Parsed:
    value = _loads(text, float, _integer)
    if _compact(value, allow_nan=True) == _INDENTED.sub("", text):
        return Parsed(value, ())  # all of it is as Python writes it, so that no number need be looked at
    unusual: list[str] = []

    def usual(read: Callable[[str], Any]) -> Callable[[str], Any]:
        def number(literal: str) -> Any:
            value = read(literal)
            if repr(value) != literal:
                unusual.append(literal)
            return value

        return number

    return Parsed(_loads(text, usual(_finite), usual(_integer)), tuple(unusual))


def _loads(text: str, number: Callable[[str], Any], integer: Callable[[str], Any]) -> Any:
    return json.loads(
        text, parse_float=number, parse_int=integer, parse_constant=_no_constant, object_pairs_hook=_unique
    )


def _integer(literal: str) -> int:
    if len(literal) < 19:
        return int(literal)  # most of them
    if len(literal) > 20 or abs(int(literal)) >= _LARGEST:
        raise ValueError(f"the integer {brief(literal)} is too large")
    return int(literal)


def _finite(literal: str) -> float:
    if not math.isfinite(float(literal)):
        raise ValueError(f"the number {brief(literal)} is too large")
    return float(literal)


def indented(value: Any, *, indent: int = 1) -> str:
    """JSON with an entry a line, as ``json.dumps(value, indent=1)`` has it, whose loops are all in Python.

    Raises
    ------
    ValueError
        If a number is NaN or infinite.
    """
    start, end = "\n" + indent * " ", "\n" + (indent - 1) * " "
    if isinstance(value, dict) and value:
        entries = (f"{_compact(str(key))}: {indented(entry, indent=indent + 1)}" for key, entry in value.items())
        return "{" + start + f",{start}".join(entries) + end + "}"
    if isinstance(value, list) and value:
        if set(map(type, value)) <= {float, int}:
            return "[" + start + _compact(value)[1:-1].replace(",", f",{start}") + end + "]"
        return "[" + start + f",{start}".join(indented(entry, indent=indent + 1) for entry in value) + end + "]"
    return _compact(value)


def _compact(value: Any, *, allow_nan: bool = False) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ": "))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {brief(twice)} stands there twice")
    return found
