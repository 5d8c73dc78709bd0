"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark.

They are loaded when they are asked for, so that :mod:`normbench.jax.backend` can be read without JAX.
"""

from importlib import import_module
from typing import Any

_DROP_INS = f"{__name__}.transformations"


def __getattr__(name: str) -> Any:
    if name == "__all__" or not name.startswith("_"):
        offered = import_module(_DROP_INS)
        if name == "__all__":
            return offered.PUBLIC
        if name in offered.PUBLIC:
            return getattr(offered, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module(_DROP_INS).PUBLIC})
