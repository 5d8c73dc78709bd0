"""JSON of strangers: read so that nothing in it can do more than raise one short ValueError."""

import json
import math
import reprlib
from typing import Any, NamedTuple

_LARGEST = 2**63  # of an integer: what tables can hold
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
    unusual: list[str] = []

    def integer(literal: str) -> int:
        if len(literal) > 20 or abs(int(literal)) >= _LARGEST:
            raise ValueError(f"the integer {brief(literal)} is too large")
        return _usual(int(literal), literal)

    def number(literal: str) -> float:
        if not math.isfinite(float(literal)):
            raise ValueError(f"the number {brief(literal)} is too large")
        return _usual(float(literal), literal)

    def _usual(value: Any, literal: str) -> Any:
        if repr(value) != literal:
            unusual.append(literal)
        return value

    try:
        value = json.loads(
            text, parse_int=integer, parse_float=number, parse_constant=_no_constant, object_pairs_hook=_unique
        )
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error
    return Parsed(value, tuple(unusual))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {brief(twice)} stands there twice")
    return found
