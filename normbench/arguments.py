"""What a call in Python was given where it takes one thing or several, of one kind."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.numbers import count


def is_several(given: Any) -> bool:
    """True for what holds things; a text, a class and an array without axes are one."""
    return isinstance(given, Iterable) and not isinstance(given, str | bytes | type) and getattr(given, "ndim", 1) > 0


def several(given: Any) -> list[Any]:
    """A list, of one where one thing is given; a generator is used up.

    Examples
    --------
    >>> several("adam"), several(range(2)), several(np.array(0.5))
    (['adam'], [0, 1], [array(0.5)])
    """
    return list(given) if is_several(given) else [given]


def texts(name: str, given: Any, example: str) -> list[str]:
    """One text or several.

    Raises
    ------
    InvalidArgumentError
        If one is none; the message calls them ``name``.
    """
    found = several(given)
    for each in found:
        if not isinstance(each, str):
            raise InvalidArgumentError(f"{name} are named by text; got {each!r}. Example: {name}=[{example!r}].")
    return found


def widths(given: Any) -> tuple[int, ...]:
    """The layers of a network.

    Raises
    ------
    InvalidArgumentError
        If they are not several integers of at least 1.
    """
    if not is_several(given):
        raise InvalidArgumentError(f"layers must be widths, input first; got {given!r}. Example: (12, 25, 30, 15, 3).")
    return tuple(count("layers", each) for each in given)


def switch(name: str, given: Any) -> bool:
    """True or False.

    Raises
    ------
    InvalidArgumentError
        If it is neither; the message calls it ``name``.
    """
    if not isinstance(given, bool | np.bool_):
        raise InvalidArgumentError(f"{name} must be True or False; got {given!r}.")
    return bool(given)


def one_of(name: str, given: Any, choices: Iterable[str]) -> str:
    """One of the texts.

    Raises
    ------
    InvalidArgumentError
        If it is none of them; the message calls it ``name``.
    """
    if not isinstance(given, str) or given not in (*choices,):
        raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}; got {given!r}.")
    return given
