"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark.

The transformations are loaded when they are asked for, so that :mod:`normbench.jax.backend` can be read without JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from normbench.jax.transformations import (
        accumulated,
        agd,
        fgsgd,
        fromage,
        lars,
        method1,
        method2,
        method2_exp,
        unmasked,
    )

__all__ = ["accumulated", "agd", "fgsgd", "fromage", "lars", "method1", "method2", "method2_exp", "unmasked"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.transformations"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
