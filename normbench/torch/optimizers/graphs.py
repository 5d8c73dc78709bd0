"""What the graph behind a loss says of whether it can be differentiated again."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor


def has_reentrant_checkpoint(loss: Tensor) -> bool:
    """Whether a loss has passed torch's checkpoint with use_reentrant=True, whose inside no graph shows."""
    return any(node.name().startswith("CheckpointFunction") for node in _nodes([loss]))


def require_another_derivative(gradient: Sequence[Tensor]) -> None:
    """Refuse gradients with parts marked as differentiable once, which torch.autograd.grad would drop in silence."""
    if any(node.name() == "torch::autograd::Error" for node in _nodes(gradient)):
        raise RuntimeError("an autograd.Function in it is marked with @once_differentiable.")


def _nodes(tensors: Sequence[Tensor]) -> Iterator[Any]:
    """Every node of the graph behind some tensors."""
    seen, waiting = set(), [t.grad_fn for t in tensors]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(parent for parent, _ in node.next_functions)
            yield node
