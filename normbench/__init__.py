"""normbench: a benchmark of optimisers for layerwise-normalised neural networks.

Importing this package loads neither torch nor JAX; the backends live in
:mod:`normbench.torch` and :mod:`normbench.jax`.
"""

from importlib.metadata import version
from typing import Any

__all__ = ["__version__", "load_records"]

__version__ = version("normbench")


def __getattr__(name: str) -> Any:
    """``load_records``, with pandas loaded when it is first asked for."""
    if name == "load_records":
        from normbench.records.frame import load_records

        return load_records
    raise AttributeError(f"module 'normbench' has no attribute {name!r}")
