"""What is said where the libraries of a backend are not installed, and its optimisers are imported."""

from collections.abc import Iterator
from contextlib import contextmanager

from normbench.errors import install


@contextmanager
def needed_by(backend: str) -> Iterator[None]:
    """Around the import of a library without which the package of a backend offers nothing.

    Raises
    ------
    ModuleNotFoundError
        Still of that kind, for those who ask by an import whether it is there; the message says what installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"normbench.{backend} needs {error.name}, which is not installed: {install(backend)}"
        raise ModuleNotFoundError(remedy, name=error.name) from error
