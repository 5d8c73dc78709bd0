"""normbench in PyTorch: the optimisers as ``torch.optim.Optimizer`` classes, and the trainer of the benchmark.

The classes are loaded when they are asked for, so that :mod:`normbench.torch.backend` can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from normbench.torch.optimizers import AGD, FGSGD, LARS, Fromage, Method1, Method2, Method2Exp

__all__ = ["AGD", "FGSGD", "LARS", "Fromage", "Method1", "Method2", "Method2Exp"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.optimizers"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
