"""From names that a user writes to columns of a file: ``v`` for all columns of a vector, ``v_1`` for one of them."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from normbench.errors import InvalidArgumentError

_LISTED = 30
_ELEMENT = re.compile(r"(?P<vector>.+)_(?P<number>\d+)")


class Pick(NamedTuple):
    """What a name stands for.

    Attributes
    ----------
    name : str
        As it was written.
    column : str
        Of the file.
    element : int or None
        Of a column that holds vectors; None for all that it holds.
    """

    name: str
    column: str
    element: int | None = None


def repeated(names: Sequence[str]) -> str:
    """Those that stand there more than once, as a list for messages; empty without."""
    return ", ".join(repr(name) for name, count in sorted(Counter(names).items()) if count > 1)


def picks(where: str, asked: Sequence[str], present: Sequence[str]) -> list[Pick]:
    """What every name stands for.

    Raises
    ------
    InvalidArgumentError
        If the file has no such column; the message names all of them, and what is close.
    """
    found, missing = [], []
    for name in asked:
        element = _ELEMENT.fullmatch(name)
        if name in present:
            found.append(Pick(name, name))
        elif element and element["vector"] in present:
            found.append(Pick(name, element["vector"], int(element["number"])))
        else:
            missing.append(name)
    if missing:
        raise InvalidArgumentError(_missing(where, missing, present))
    return found


def _missing(where: str, missing: Sequence[str], present: Sequence[str]) -> str:
    close = list(dict.fromkeys(match for name in missing for match in _close(name, present)))
    meant = f" Did you mean {', '.join(map(repr, close))}?" if close else ""
    more = f" and {len(present) - _LISTED} more" if len(present) > _LISTED else ""
    return (
        f"{where} has no column {', '.join(map(repr, missing))}.{meant} It has: "
        f"{', '.join(name for name in present[:_LISTED] if name)}{more}."
    )


def _close(name: str, present: Sequence[str]) -> list[str]:
    """Columns that differ in case alone, else those that are spelt alike."""
    same = [other for other in present if other.lower() == name.lower()]
    return same or difflib.get_close_matches(name, present, n=1)
