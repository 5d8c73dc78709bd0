"""What counts as a number where a user hands one over: Python's and NumPy's, and arrays or tensors without axes."""

import math
import numbers
from typing import Any

import numpy as np

from normbench.errors import InvalidArgumentError


def as_number(value: Any) -> int | float | None:
    """``value`` as a Python int or float; None if it is no real number.

    ``bool`` is none, nor is a string of digits, a complex number or an array with axes.

    Examples
    --------
    >>> as_number(np.float32(0.5)), as_number(np.array(3)), as_number(True), as_number("3")
    (0.5, 3, None, None)
    """
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _nearest(value)
    if getattr(value, "shape", None) == () and not isinstance(value, np.generic) and hasattr(value, "item"):
        return as_number(value.item())
    return None


def as_float(value: Any) -> float | None:
    """``value`` as a Python float, infinite where it is an integer that no float holds; None if it is no number."""
    number = as_number(value)
    return None if number is None else _nearest(number)


def _nearest(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_integer(value: Any) -> int | None:
    """``value`` as a Python int; None if it is no integer: 2.0 is none."""
    number = as_number(value)
    return number if isinstance(number, int) else None


def positive(name: str, value: Any) -> float:
    """``value`` as a positive finite float.

    Raises
    ------
    InvalidArgumentError
        If it is anything else; the message calls it ``name``.
    """
    number = as_float(value)
    if number is None or not 0.0 < number < math.inf:
        raise InvalidArgumentError(f"{name} must be positive and finite; got {value!r:.60}.")
    return number


def count(name: str, value: Any, *, least: int = 1) -> int:
    """``value`` as an integer of at least ``least``.

    Raises
    ------
    InvalidArgumentError
        If it is anything else; the message calls it ``name``.
    """
    number = as_integer(value)
    if number is None or number < least:
        raise InvalidArgumentError(f"{name} must be an integer of at least {least}; got {value!r}.")
    return number
