"""normbench: a benchmark of optimisers for layerwise-normalised neural networks.

Importing this package loads neither torch nor JAX; the backends live in
:mod:`normbench.torch` and :mod:`normbench.jax`.
"""

from typing import Any

__all__ = ["__version__", "certify", "load_records"]


def __getattr__(name: str) -> Any:
    """``certify``, ``load_records`` and ``__version__``, with what they need loaded when they are first asked for."""
    if name == "certify":
        from normbench.certificates import certify

        return certify
    if name == "load_records":
        from normbench.records.frame import load_records

        return load_records
    if name == "__version__":
        from importlib.metadata import version

        return version("normbench")
    raise AttributeError(f"module 'normbench' has no attribute {name!r}")
