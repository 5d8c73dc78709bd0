"""Optimiser classes whose step depends on all weights at once and that have no learning rate: method 2 and AGD."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.torch.norms import wide, widened
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import INERT_RATE, Closure, Gated, dense, evaluate, move, require_no_rate
from normbench.torch.optimizers.gate import Group, label, require_trainable, require_weights


class Coupled(Gated):
    """An optimiser whose step depends on all weights at once and that has no learning rate.

    One group of weights with at least two axes; groups without parameters may stand beside it.
    """

    kept: ClassVar[dict[str, Any]] = {"step_size": 0.0}

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        require_no_rate(type(self).__name__, options)
        return {"lr": INERT_RATE}

    def _require(self, group: Group) -> None:
        name = type(self).__name__
        gate.require_unsharded(name)
        if group["params"] and any(other["params"] for other in self.param_groups):
            raise InvalidArgumentError(
                f"{name} takes one parameter group, because its step couples all layers; got a second one. "
                "Give the other parameters to another optimiser."
            )
        gate.require_tensors(name, group)
        require_weights(name, group)
        require_trainable(name, group)
        gate.require_whole(name, group)
        gate.require_finite(group)

    def _main_group(self) -> Group:
        """The group that has the parameters."""
        for group in self.param_groups:  # torch.compile does not see through next()
            if group["params"]:
                return group
        return self.param_groups[0]

    @property
    def _layers(self) -> list[Tensor]:
        return self._main_group()["params"]

    def _gradient(self) -> list[Tensor] | None:
        """Gradients of all layers, or None if there is not one; a layer without counts as zero, and is named once."""
        self._require_same_shapes()
        for group in self.param_groups:
            require_no_rate(type(self).__name__, group)
        group = self._main_group()
        layers = group["params"]
        require_trainable(type(self).__name__, group)
        missing = [k for k, p in enumerate(layers) if p.grad is None]
        if missing:
            self._warn_of_missing_gradients([label(group, k) for k in missing], len(layers))
        if len(missing) == len(layers):
            return None
        return [torch.zeros_like(p) if p.grad is None else dense(p.grad) for p in layers]

    def _moved(self, gradient: list[Tensor], weights: list[Tensor]) -> tuple[list[Tensor], float | Tensor]:
        """The new weights of all layers, in float32 at least, and the step size."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Take one step from ``p.grad``; the step size is then in ``param_groups[0]["step_size"]``."""
        loss = evaluate(closure)
        gradient, layers = self._gradient(), self._layers
        if gradient is None:
            return loss
        kind = wide([*layers, *gradient])
        weights = widened(layers, kind)
        moved, step_size = self._moved(widened(gradient, kind), weights)
        if moved is not weights or any(p.dtype != kind for p in layers):  # else they have moved in place
            move(layers, moved)
        for group in self.param_groups:
            group["step_size"] = step_size
        return loss
