"""Losses from the closures of users: what those may return and do, and what is said where no derivative is found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.torch.line_derivatives import Closure
from normbench.torch.optimizers.smooth import smooth_operators


@dataclass(frozen=True)
class Losses:
    """How an optimiser takes losses from closures.

    Attributes
    ----------
    name : str
        Of the optimiser, for messages.
    higher : bool
        Whether the losses may be differentiated more than once.
    """

    name: str
    higher: bool = True

    def value(self, closure: Closure) -> Tensor:
        """What a closure returns, if it is a loss."""
        torch.clear_autocast_cache()  # inside autocast, copies of the weights in low precision would outlive a change
        with smooth_operators() if self.higher else nullcontext():
            loss: Any = closure()
        if not isinstance(loss, Tensor):
            raise InvalidArgumentError(
                f"the closure of {self.name} must return the loss as a tensor with its graph; "
                f"got {loss!r}. Return loss_function(model(x), y) and do not call backward() on it."
            )
        if loss.numel() != 1 or loss.is_complex():
            raise InvalidArgumentError(
                f"the closure of {self.name} must return the loss as one real number; got a tensor of shape "
                f"{tuple(loss.shape)} and dtype {str(loss.dtype).removeprefix('torch.')}. Return a mean over the "
                "samples."
            )
        return loss.reshape(())

    def traced(self, closure: Closure) -> Tensor:
        """The loss with its graph."""
        with torch.enable_grad():
            loss = self.value(closure)
        if loss.grad_fn is None:
            raise InvalidArgumentError(
                f"the closure of {self.name} must return the loss as a tensor with its graph; "
                f"got {loss!r}. Return loss_function(model(x), y), without detach(), item() or torch.no_grad() on the "
                "way, from a model whose parameters are free."
            )
        return loss

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say what an operator without a derivative means to the optimiser, and what to do."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            found = f"something in the network does not allow it: {first_line(error)}"
            if self.higher:
                raise InvalidArgumentError(
                    f"{self.name} differentiates the loss again and again, and {found} Use an operator with higher "
                    "derivatives (checkpoints with use_reentrant=False, modules without torch.compile, functions "
                    f"without once_differentiable), or give the module to {self.name} for forward mode."
                ) from error
            raise InvalidArgumentError(
                f"{self.name} differentiates the loss itself, and {found} Use operators with a derivative, and "
                "checkpoints with use_reentrant=False."
            ) from error

    @contextmanager
    def refusing_backward(self, layers: Sequence[Tensor]) -> Iterator[None]:
        """Make backward() raise while a closure runs."""

        def refuse(parameter: Tensor) -> None:
            raise InvalidArgumentError(
                f"the closure of {self.name} must not call backward(): the step differentiates the loss itself. "
                "Return loss_function(model(x), y). A trainer whose own closure calls it has to leave the step to you: "
                "Lightning by automatic_optimization = False."
            )

        guards = [p.register_post_accumulate_grad_hook(refuse) for p in layers]
        try:
            yield
        finally:
            for guard in guards:
                guard.remove()


def first_line(error: Exception) -> str:
    """Of its message, or its kind."""
    return (str(error).splitlines() or [type(error).__name__])[0]
