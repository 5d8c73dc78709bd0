"""What the optimiser classes share: parameter groups, the checks of their parameters, and a closure's call."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError

Closure = Callable[[], Tensor]
Group = dict[str, Any]

KEYS_OF_TORCH = frozenset({"params", "param_names", "differentiable"})


class Coupled(torch.optim.Optimizer):
    """An optimiser whose step depends on all weights at once: one group of weights with at least two axes."""

    def add_param_group(self, param_group: Group) -> None:
        """Add the only group, without options of its own."""
        name = type(self).__name__
        if self.param_groups:
            raise InvalidArgumentError(
                f"{name} takes one parameter group, because its step couples all layers; got a second one. "
                "Give the other parameters to another optimiser."
            )
        options = sorted(param_group.keys() - KEYS_OF_TORCH)
        if options:
            raise InvalidArgumentError(f"{name} takes no options in a parameter group; got {', '.join(options)}.")
        super().add_param_group(param_group)
        require_weights(name, self.param_groups[0])
        require_trainable(name, self.param_groups[0])

    @property
    def _layers(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> list[Tensor]:
        """Gradients of all layers; a layer without one counts as zero."""
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._layers]


def check_options(optimizer: torch.optim.Optimizer, key: str, param_group: Group, *others: str) -> None:
    """Check what a group sets of its own, and the defaults for the rest, against the spec of that key.

    ``others`` are options that are no hyperparameters of the spec.
    """
    own = {k: value for k, value in param_group.items() if k not in KEYS_OF_TORCH}
    for option in own.keys() - optimizer.defaults.keys():
        raise InvalidArgumentError(
            f"{type(optimizer).__name__} has no option {option!r}. It takes: {', '.join(optimizer.defaults)}."
        )
    # torch's name of the learning rate is lr: its schedulers look for it
    given = {"learning_rate" if k == "lr" else k: value for k, value in (optimizer.defaults | own).items()}
    plain = {k: float(value) if isinstance(value, Tensor) else value for k, value in given.items()}
    specs.get(key).resolve({k: v for k, v in plain.items() if k not in KEYS_OF_TORCH and k not in others})


def label(group: Group, index: int) -> str:
    """How a message calls a parameter: by its name if torch knows it, else by its place."""
    names, p = group.get("param_names"), group["params"][index]
    return f"parameter {repr(names[index]) if names else index} of shape {tuple(p.shape)}"


def require_weights(name: str, group: Group) -> None:
    """Refuse biases and gains: an update of matrices has no meaning for them."""
    for index, p in enumerate(group["params"]):
        if p.dim() < 2:
            raise InvalidArgumentError(
                f"{label(group, index)} is neither a matrix (fan_out, fan_in) nor a kernel (fan_out, fan_in, height, "
                f"width), which is all that {name} moves. Give it to another optimiser, e.g. torch.optim.Adam."
            )


def require_trainable(name: str, group: Group) -> None:
    """Refuse parameters that never get a gradient: they would count as layers."""
    for index, p in enumerate(group["params"]):
        if not p.requires_grad:
            raise InvalidArgumentError(
                f"{label(group, index)} is frozen (requires_grad=False). Leave it out of {name}, "
                "or give it to another optimiser once it is free."
            )


def remember_radii(group: Group, state: dict[Tensor, Any]) -> None:
    """Keep ||W_i||_F of every parameter as its radius."""
    for index, p in enumerate(group["params"]):
        radius = float(torch.linalg.vector_norm(p.detach()))
        if radius == 0.0:
            raise InvalidArgumentError(
                f"{label(group, index)} is zero and lies on no sphere. Initialise it, or give it to another optimiser."
            )
        state[p]["radius"] = radius


def move(layers: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Write the new weights into the parameters."""
    torch._foreach_copy_(list(layers), list(weights))


def evaluate(closure: Closure | None) -> Tensor | None:
    """Call a closure that may call backward(), as torch's own optimisers do."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
