"""What callers of normbench can catch: one class per kind of mistake or misfortune; and how a lack is made good.

Messages call an argument what the caller calls it: the same code is called from Python and from a command line.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

DAMAGE = (  # what NumPy and zipfile raise on an archive with flipped or missing bytes, beside an OSError
    *(ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error),
    *(OverflowError, MemoryError),  # of shapes that no file holds
)
_by_options: ContextVar[bool] = ContextVar("by_options", default=False)
_OPTIONS = {"hyperparameters": "--set", "grids": "--grid", "random_state": "--seed"}  # of other names than in Python


@contextmanager
def called_by_options() -> Iterator[None]:
    """Whoever calls what is done inside has given options of a command line."""
    token = _by_options.set(True)
    try:
        yield
    finally:
        _by_options.reset(token)


def argument(name: str, *value: Any) -> str:
    """What the caller calls an argument: ``batch_size`` in Python, ``--batch-size`` on a command line.

    Parameters
    ----------
    name : str
        In Python.
    *value
        What was given for it, to be said behind it.

    Examples
    --------
    >>> argument("batch_size"), argument("test_share", 0.999)
    ('batch_size', 'test_share=0.999')
    >>> with called_by_options():
    ...     argument("test_share", 0.999)
    '--test-share 0.999'
    """
    if _by_options.get():
        return " ".join([_OPTIONS.get(name, f"--{name.replace('_', '-')}"), *map(str, value)])
    return "=".join([name, *map(repr, value)])


def install(extra: str) -> str:
    """What installs an extra of normbench: a clone does, as long as no index has the package."""
    return f'in a clone of normbench, pip install ".[{extra}]"'


class NormbenchError(Exception):
    """Base class of every error that normbench raises on purpose."""


class InvalidArgumentError(NormbenchError, ValueError):
    """An argument is out of range, misspelt or of the wrong shape; the message gives value and remedy."""


class PlugInError(InvalidArgumentError):
    """An optimiser or task of another package cannot be imported, or is none; the message gives module and reason."""


class DataError(NormbenchError, ValueError):
    """A data file or array is not what it should be: columns, NaN, zero norms, shape, checksum."""


class DownloadError(NormbenchError, RuntimeError):
    """A file could not be fetched; the message says how to supply it by hand."""


class BackendUnavailableError(NormbenchError, RuntimeError):
    """A backend or device is not installed or not present on this machine."""


class RecordError(NormbenchError, ValueError):
    """A stored record cannot be read or does not follow the schema."""


class CertificateError(NormbenchError, ValueError):
    """A witness does not prove the bound that it stands beside; the message says what fails."""


class TrainingError(NormbenchError, RuntimeError):
    """A network of a user's table could not be trained; the message says what to change."""


class NotReachedWarning(UserWarning):
    """Parameters have no gradient: the loss does not reach them, or the optimiser holds others than the model."""


class OutputError(NormbenchError, RuntimeError):
    """A file or folder cannot be written; the message names it and the cause."""


class WorkerError(NormbenchError, RuntimeError):
    """Work in another process ended without a result."""
