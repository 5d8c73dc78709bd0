"""Where a fit trains: what a program has set in torch or JAX for itself changes no number of it."""

from contextlib import AbstractContextManager, nullcontext

from normbench.backends import Backend


def usual_settings(backend: Backend) -> AbstractContextManager[None]:
    """A context in which the library of a backend has the settings that it has where nobody changed them."""
    return nullcontext() if backend.usual_settings is None else backend.usual_settings.load()()
