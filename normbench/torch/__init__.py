"""normbench in PyTorch: the optimisers as ``torch.optim.Optimizer`` classes, and the trainer of the benchmark."""

from typing import Any

from normbench.torch import optimizers

__all__ = list(optimizers.__all__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(optimizers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
