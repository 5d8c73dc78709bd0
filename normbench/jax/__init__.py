"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark."""

from typing import Any

from normbench.jax import transformations

__all__ = sorted(["accumulated", "unmasked", *transformations.DROP_INS])


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(transformations, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
