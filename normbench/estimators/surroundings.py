"""Where a fit trains: what a program has set in torch or JAX for itself changes no number of it."""

from contextlib import AbstractContextManager, nullcontext

from normbench.backends import Address, Backend

_USUAL: dict[str, Address[AbstractContextManager[None]]] = {
    name: Address(f"normbench.{name}.usual", "usual_settings") for name in ("torch", "jax")
}


def usual_settings(backend: Backend) -> AbstractContextManager[None]:
    """A context in which the library of a backend has the settings that it has where nobody changed them."""
    return _USUAL[backend.name].load()() if backend.name in _USUAL else nullcontext()
