"""The running standard deviation of what feeds a weight, measured by hooks on the modules: lambda of FG-SGD."""

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from normbench.errors import NotReachedWarning
from normbench.torch.norms import norms, wide
from normbench.torch.optimizers.base import on_device

MOMENTUM = 0.1  # as in torch's batch normalisation


class Tracker:
    """A hook before the forward pass of a module; it writes ``feature_std`` into the state of the module's weight.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose state it is.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer

    def follow(self, module: torch.nn.Module) -> torch.utils.hooks.RemovableHandle:
        """Measure this module from now on, once per pass, whatever followed it for the same optimiser before."""
        self._leave(module)
        return module.register_forward_pre_hook(self, with_kwargs=True)

    def _leave(self, module: torch.nn.Module) -> None:
        for key, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, Tracker) and hook._optimizer is self._optimizer:
                del module._forward_pre_hooks[key]
                module._forward_pre_hooks_with_kwargs.pop(key, None)

    @torch.no_grad()
    def __call__(self, module: torch.nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Before a forward pass; leaves inputs and errors to the module."""
        if not module.training or _is_no_training_pass():
            return
        weight = module.weight
        state = self._optimizer.state.get(weight)  # a look-up by [] would leave an entry
        if state is None:
            if isinstance(weight, torch.nn.Parameter):  # else a functional call, which lends other tensors for a while
                self._give_up(module)
            return
        x = inputs[0] if inputs else named.get("input")
        if isinstance(x, Tensor) and x.is_floating_point() and x.layout is torch.strided and x.numel() > 0:
            before = on_device(state.get("feature_std", 1.0), weight)
            now = on_device(standard_deviation(x), weight)
            # without waiting for the device; a pass with NaN or infinity leaves no trace
            state["feature_std"] = torch.where(now.isfinite(), torch.lerp(before, now, MOMENTUM), before)

    def _give_up(self, module: torch.nn.Module) -> None:
        self._leave(module)
        warnings.warn(
            f"the weight of {module} is none of this FGSGD's parameters any more: it was replaced since track(), e.g. "
            "by load_state_dict(assign=True), so it neither moves nor is its lambda measured. Make FGSGD anew of the "
            "model's parameters, and track again.",
            NotReachedWarning,
            stacklevel=2,
        )


def standard_deviation(x: Tensor) -> Tensor:
    """||x - mean|| / sqrt(n), in float32 at least; shape ()."""
    x = x.detach().to(wide([x]))
    return norms([x - x.mean()])[0] / math.sqrt(x.numel())


def _is_no_training_pass() -> bool:
    """Whether this is inference, or a backward pass runs: then a checkpoint repeats a pass that was measured."""
    if torch.compiler.is_compiling():  # dynamo cannot trace the questions
        return False
    return torch.is_inference_mode_enabled() or torch._C._current_graph_task_id() != -1
