"""What runs in a worker process, which may be on another machine."""

import os
import pickle
from contextlib import suppress
from functools import cache
from typing import Any

from normbench import backends
from normbench.campaigns.engine.reasons import last_line
from normbench.errors import OutputError
from normbench.machine import limit_threads


def attempt(job: bytes, threads: int) -> tuple[Any, Exception | None]:
    """What the pickled job returns, or the error that it raises.

    The job is unpickled here, behind the limit of threads.
    """
    prepare(threads)
    try:
        return pickle.loads(job)(), None
    except Exception as error:
        return None, _portable(error)


@cache
def prepare(threads: int) -> None:
    """Limit the threads of this process and let it share compiled programs with others on its machine.

    The number of threads decides the order of sums: without a limit a worker would have other last digits.
    """
    from threadpoolctl import threadpool_limits

    limit_threads(threads)  # of libraries that are loaded from now on
    threadpool_limits(threads)  # of NumPy's, which dask has loaded
    for backend in backends.every():
        if backend.compilation_cache is not None:
            with suppress(OutputError):  # `normbench run` says so
                os.environ.update(backend.compilation_cache())


def _portable(error: Exception) -> Exception:
    """The error itself if it survives the way back, else its type and message."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(last_line(error))
    return error
