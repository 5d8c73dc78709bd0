"""Words of C: numbers that read back as they were, arrays, names inside comments."""

import json
import textwrap
from collections.abc import Iterable

import numpy as np

REAL = {"float32": "float", "float64": "double"}
_ENDING = {"float32": "f", "float64": ""}  # of numbers, and of the functions of math.h


def real(dtype: np.dtype) -> str:
    """The type of C."""
    return REAL[dtype.name]


def function(name: str, dtype: np.dtype) -> str:
    """Of math.h, in the type's precision: ``sqrtf``."""
    return name + _ENDING[dtype.name]


def number(value: np.floating) -> str:
    """The shortest decimal that a compiler reads as this number, which must be finite; decimal as in C++ too."""
    return f"{float(str(value))!r}{_ENDING[value.dtype.name]}"


def array(name: str, values: np.ndarray) -> str:
    """A constant array, row by row."""
    words = ", ".join(number(value) for value in values.ravel())
    lines = textwrap.wrap(words, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([f"static const {real(values.dtype)} {name}[{values.size}] = {{", *lines, "};"])


def quoted(label: str) -> str:
    """A user's words within a comment: in quotes, ASCII, and nothing that begins or ends a comment."""
    return json.dumps(label).replace("*/", "* /").replace("/*", "/ *")


def comment(lines: Iterable[str]) -> str:
    """A block of lines."""
    return "/* " + "\n".join(f" * {line}".rstrip() for line in lines)[3:] + "\n */"
