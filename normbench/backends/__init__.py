"""Which backends there are, and the one place that finds them by name; none of their libraries is imported here."""

from importlib import import_module

from normbench.backends.backend import Address, Backend, Start
from normbench.errors import BackendUnavailableError, InvalidArgumentError

__all__ = ["Address", "Backend", "Start", "available", "every", "get", "names", "oracle", "usable", "usual"]

# each has a BACKEND; in the order of tables, options and legends
DECLARED = ("normbench.torch.backend", "normbench.jax.backend", "normbench.reference.backend")


def every() -> tuple[Backend, ...]:
    """All backends that are declared, whether or not their libraries are installed."""
    return tuple(import_module(module).BACKEND for module in DECLARED)


def names() -> tuple[str, ...]:
    """The name of every backend."""
    return tuple(backend.name for backend in every())


def get(name: str) -> Backend:
    """The backend of that name.

    Raises
    ------
    InvalidArgumentError
        If there is none; the message lists the known ones.
    """
    found = {backend.name: backend for backend in every()}
    if not isinstance(name, str) or name not in found:
        raise InvalidArgumentError(f"no backend {name!r}; the benchmark knows {', '.join(found)}.")
    return found[name]


def usable(name: str) -> Backend:
    """The backend of that name, whose libraries are installed.

    Raises
    ------
    InvalidArgumentError
        If there is none.
    BackendUnavailableError
        If a library is missing; the message gives the remedy.
    """
    backend = get(name)
    if reason := backend.missing():
        raise BackendUnavailableError(f"backend {name!r} cannot be used: {reason}.")
    return backend


def available() -> dict[str, str]:
    """Every backend with the reason why it cannot be used, or an empty string."""
    return {backend.name: backend.missing() for backend in every()}


def usual() -> tuple[Backend, ...]:
    """Those that train where none is named, and that are judged by the oracle."""
    return tuple(backend for backend in every() if not backend.oracle)


def oracle() -> Backend:
    """The one that the others are judged by."""
    return next(backend for backend in every() if backend.oracle)
