"""Where torch's fused operators have wrong or no higher derivatives, the same functions by operators that have them.

Derivatives of torch's layer and batch normalisation take the statistics of the batch for constants: wrong from the
second order in forward mode and from the third in reverse mode (pytorch issues 196700, 196699, 186256, 198017). Fused
attention has none at all.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


@contextmanager
def smooth_operators() -> Iterator[None]:
    """Use the operators of this module while a network runs."""
    with sdpa_kernel(SDPBackend.MATH), _Replaced():
        yield


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """As ``torch.nn.functional.layer_norm``."""
    axes = tuple(range(-len(normalized_shape), 0))
    return _standardised(input, axes, eps, weight, bias, tuple(normalized_shape))


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As ``torch.nn.functional.batch_norm``."""
    if not training:  # affine in the input: nothing wrong there
        return functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = (0, *range(2, input.dim()))
    for running, statistic in ((running_mean, torch.mean), (running_var, torch.var)):
        if running is not None:
            running.lerp_(statistic(input.detach(), axes).to(running.dtype), momentum)
    return _standardised(input, axes, eps, weight, bias, (-1, *[1] * (input.dim() - 2)))


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As ``torch.nn.functional.instance_norm``."""
    if running_mean is None and running_var is None:  # a group for every channel, whose derivatives are right
        return functional.group_norm(input, input.shape[1], weight, bias, eps)
    return functional.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def _standardised(
    input: Tensor, axes: tuple[int, ...], eps: float, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]
) -> Tensor:
    """(x - mean) / sqrt(variance + eps), times weight, plus bias, in float32 at least."""
    x = input.to(torch.promote_types(input.dtype, torch.float32))
    x = (x - x.mean(axes, keepdim=True)) * torch.rsqrt(x.var(axes, correction=0, keepdim=True) + eps)
    x = x if weight is None else x * weight.reshape(shape)
    x = x if bias is None else x + bias.reshape(shape)
    return x.to(input.dtype)


_REPLACEMENTS: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.layer_norm: layer_norm,
    functional.batch_norm: batch_norm,
    functional.instance_norm: instance_norm,
}


class _Replaced(TorchFunctionMode):
    """Calls the replacement of a function of torch in its stead."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _REPLACEMENTS.get(func, func)(*args, **(kwargs or {}))
