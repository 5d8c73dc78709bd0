"""Two sets of weights: iterates, where gradients are to be taken, and their averages, which are to be evaluated."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.torch.optimizers import balls
from normbench.torch.optimizers.base import Gated
from normbench.torch.optimizers.gate import Group

MODE: dict[str, Any] = {"train_mode": True}  # in every group


class Averaging(Gated):
    """An optimiser of matrices in balls whose parameters hold the iterates, or the averages between eval and train."""

    kept: ClassVar[dict[str, Any]] = MODE

    def _average(self, p: Tensor) -> Tensor | None:
        """The average of a parameter as a matrix of norm 1 at most, or None where the parameter is its own."""
        raise NotImplementedError

    @torch.no_grad()
    def eval(self) -> None:
        """Put the averages into the parameters; before the first step they are the parameters themselves."""
        for group in self.param_groups:
            for p in group["params"] if group["train_mode"] else ():
                own, average = self.state[p], self._average(p)
                own["iterate"] = p.detach().clone()
                if average is not None and bool(p.isfinite().all()):
                    p.copy_(balls.within(average.to(p.device), p, own["radius"]))
            group["train_mode"] = False

    @torch.no_grad()
    def train(self) -> None:
        """Put the iterates, where gradients are to be taken, back into the parameters."""
        for group in self.param_groups:
            for p in () if group["train_mode"] else group["params"]:
                p.copy_(self.state[p].pop("iterate"))
            group["train_mode"] = True

    def _require_iterates(self, group: Group) -> None:
        """Refuse a step from the averages."""
        if not group["train_mode"]:
            raise InvalidArgumentError(
                f"the parameters of {type(self).__name__} hold the averages, where no gradients are to be taken. Call "
                "optimizer.train() before the forward pass, and optimizer.eval() before the next evaluation."
            )
