"""Values of hyperparameters: what they may be, and the text of each on a command line and on boards."""

import re
from collections.abc import Iterable
from typing import Any

from normbench.numbers import as_number

Value = float | int | str | tuple[float, ...] | None
Searched = float | tuple[float, ...]  # what a search may try: numbers, or several at a time
OFF = "off"  # None

_GROUP = r"\s*(?:\([^()\[\]]*\)|\[[^()\[\]]*\])\s*"


def value_text(value: Value) -> str:
    """The value in words, with as many digits as tell it from every other value.

    Examples
    --------
    >>> value_text(0.001), value_text((0.9, 0.999)), value_text(None)
    ('0.001', '0.9,0.999', 'off')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return OFF
    if isinstance(value, tuple):
        return ",".join(map(value_text, value))
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def numbers_in(text: str) -> list[int | float | str]:
    """The parts of a text such as ``0.9,0.999`` or ``(0.9, 0.999)``; one that is no number stays text.

    Examples
    --------
    >>> numbers_in("(0.9, 1)"), numbers_in("0.9,fast")
    ([0.9, 1], [0.9, 'fast'])
    """
    inside = text.strip().removeprefix("(").removesuffix(")").removeprefix("[").removesuffix("]").strip()
    return [_number(part.strip()) for part in inside.removesuffix(",").split(",")]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def grid_text(values: Iterable[Value]) -> str:
    """The values of a grid in words; those of several numbers in parentheses, which tell where one ends.

    Examples
    --------
    >>> grid_text((0.001, 0.01)), grid_text(((0.9, 0.99), (0.9, 0.999)))
    ('0.001,0.01', '(0.9,0.99),(0.9,0.999)')
    """
    return ",".join(f"({value_text(value)})" if isinstance(value, tuple) else value_text(value) for value in values)


def groups_in(text: str) -> list[str] | None:
    """The parts of a text such as ``(0.9,0.99),(0.9,0.999)``, each in parentheses; None if it is no such list.

    Examples
    --------
    >>> groups_in("(0.9, 0.99), [0.8]"), groups_in("0.9,0.99")
    (['(0.9, 0.99)', '[0.8]'], None)
    """
    if not re.fullmatch(f"{_GROUP}(?:,{_GROUP})*,?", text):
        return None
    return [part.strip() for part in re.findall(_GROUP, text)]


def as_numbers(value: Any, like: tuple[float, ...]) -> tuple[float, ...] | None:
    """A tuple or list of numbers as a tuple; integers where all of ``like`` are, else floats. None if it is none."""
    found = [as_number(item) for item in value] if isinstance(value, tuple | list) else []
    numbers = tuple(number for number in found if number is not None)
    if not numbers or len(numbers) < len(found):
        return None
    if all(isinstance(number, int) for number in like):
        return numbers if all(isinstance(number, int) for number in numbers) else None
    return tuple(map(float, numbers))
