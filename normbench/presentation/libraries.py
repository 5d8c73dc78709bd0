"""The libraries that only drawing needs: what to install where they are missing, and no window where they are there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from normbench.errors import BackendUnavailableError, install


@contextmanager
def drawing_libraries(what: str = "a figure", extra: str = "report") -> Iterator[None]:
    """Around the import of what draws into files.

    Matplotlib gets the backend Agg, whatever MPLBACKEND says: Jupyter exports the name of a library there that need not
    be installed where the command runs.

    Raises
    ------
    BackendUnavailableError
        If a library that ``what`` needs is not installed; the message gives the remedy.
    """
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    try:
        yield
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(f"{what} needs {error.name}, which is not installed: {install(extra)}") from error
    finally:
        del os.environ["MPLBACKEND"]
        if before is not None:
            os.environ["MPLBACKEND"] = before
