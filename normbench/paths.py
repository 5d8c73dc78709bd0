"""From what a user writes to a path: ``~`` is the home folder, nothing is no path, and no input is written over."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from normbench.errors import InvalidArgumentError
from normbench.machine import variable


def as_path(name: str, text: Any) -> Path:
    """``text``, a str or anything that is a path, as a path, with ``~`` and ``~user`` replaced by the home folder.

    Raises
    ------
    InvalidArgumentError
        If it is no such thing, empty or blank, holds a null character, or there is no such user; the message calls it
        ``name``.
    """
    if isinstance(text, os.PathLike):
        text = os.fspath(text)
    if not isinstance(text, str) or "\0" in text:
        said = " ".join(repr(text).split())[:60]  # a table's has many lines
        raise InvalidArgumentError(f"{name} must be a path, as text or a pathlib.Path; got {said}.")
    if not str(text).strip():
        raise InvalidArgumentError(f"{name} must name a file or folder; got {str(text)!r}. For this folder write '.'.")
    expanded = os.path.expanduser(text)  # noqa: PTH111, as a Path, ./~ would have become ~
    if str(expanded).startswith("~"):
        raise InvalidArgumentError(
            f"{name} is {str(text)!r}, and there is no such user. A folder of that name is ./{text}"
        )
    return Path(expanded)


def check_apart(name: str, written: Path, others: Iterable[Path]) -> None:
    """Raise where what is written would take the place of a file that is read or written beside it.

    Raises
    ------
    InvalidArgumentError
        Names both.
    """
    for other in others:
        if os.path.realpath(written) == os.path.realpath(other):
            raise InvalidArgumentError(f"{name} {written} is {other}, which would be lost. Choose another name.")


def path_from(name: str) -> Path | None:
    """The path in an environment variable; None where it is unset, empty or blank."""
    text = variable(name)
    return None if text is None else as_path(name, text)
