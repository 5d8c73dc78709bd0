"""What callers of normbench can catch: one class per kind of mistake or misfortune; and how a lack is made good."""


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
