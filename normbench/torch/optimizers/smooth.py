"""Where torch's fused operators have wrong or no higher derivatives, the same functions by operators that have them.

Derivatives of torch's layer, batch and instance normalisation take the statistics of the batch for constants: wrong
from the second order in forward mode and from the third in reverse mode (pytorch issues 196700, 196699, 186256,
198017). Fused attention has none at all. Every stand-in calls the original, too, on inputs without derivatives: for its
checks and their messages, for what it writes into running statistics, and for the dtype and layout of the result.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

Original = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]
Formula = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


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

    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return functional.layer_norm(x, normalized_shape, w, b, eps)

    def formula(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return _affine(_standardised(x, tuple(range(-len(normalized_shape), 0)), eps), w, b, tuple(normalized_shape))

    return _standing_in(original, formula, input, weight, bias)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """As ``torch.nn.functional.rms_norm``."""

    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return functional.rms_norm(x, normalized_shape, w, eps)

    def formula(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        x = _wide(x)
        small = torch.finfo(x.dtype).eps if eps is None else eps
        mean_square = x.square().mean(tuple(range(-len(normalized_shape), 0)), keepdim=True)
        return _affine(x * torch.rsqrt(mean_square + small), w, b, tuple(normalized_shape))

    return _standing_in(original, formula, input, weight, None)


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

    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return functional.batch_norm(x, running_mean, running_var, w, b, training, momentum, eps)

    if not training:  # affine in the input: nothing wrong there
        return original(input, weight, bias)
    return _standing_in(original, _over_batch(eps), input, weight, bias)


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

    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return functional.instance_norm(x, running_mean, running_var, w, b, use_input_stats, momentum, eps)

    if not use_input_stats:
        return original(input, weight, bias)
    return _standing_in(original, _over_pixels(eps), input, weight, bias)


def _torch_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    return layer_norm(input, normalized_shape, weight, bias, eps)


def _torch_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """``torch.batch_norm`` checks less than ``torch.nn.functional.batch_norm``, which calls it."""

    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return torch.batch_norm(x, w, b, running_mean, running_var, training, momentum, eps, cudnn_enabled)

    if not training:
        return original(input, weight, bias)
    return _standing_in(original, _over_batch(eps), input, weight, bias)


def _torch_instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    def original(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return torch.instance_norm(x, w, b, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled)

    if not use_input_stats:
        return original(input, weight, bias)
    return _standing_in(original, _over_pixels(eps), input, weight, bias)


def _standing_in(
    original: Original, formula: Formula, input: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """The value by the formula, with the checks, side effects, dtype and layout of the original."""
    if isinstance(input, Tensor) and input.numel() == 0:  # nothing to differentiate
        return original(input, weight, bias)
    with torch.no_grad():
        expected = original(*(t.detach() if isinstance(t, Tensor) else t for t in (input, weight, bias)))
    return _laid_out(formula(input, weight, bias).to(expected.dtype), expected)


def _laid_out(value: Tensor, expected: Tensor) -> Tensor:
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    if expected.is_contiguous():
        return value.contiguous()
    layout = layouts.get(expected.dim())
    if layout is not None and expected.is_contiguous(memory_format=layout):
        return value.contiguous(memory_format=layout)
    return value


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _standardised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """(x - mean) / sqrt(variance + eps), in float32 at least."""
    x = _wide(x)
    return (x - x.mean(axes, keepdim=True)) * torch.rsqrt(x.var(axes, correction=0, keepdim=True) + eps)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]) -> Tensor:
    """x times weight, plus bias."""
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _over_batch(eps: float) -> Formula:
    """Every channel by its statistics over samples and pixels."""

    def formula(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return _affine(_standardised(x, (0, *range(2, x.dim())), eps), w, b, (-1, *[1] * (x.dim() - 2)))

    return formula


def _over_pixels(eps: float) -> Formula:
    """Every channel of every sample by its statistics over pixels."""

    def formula(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        return _affine(_standardised(x, tuple(range(2, x.dim())), eps), w, b, (-1, *[1] * (x.dim() - 2)))

    return formula


_REPLACEMENTS: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.layer_norm: layer_norm,
    functional.rms_norm: rms_norm,
    functional.batch_norm: batch_norm,
    functional.instance_norm: instance_norm,
    # what the functions above call, and what some networks call themselves
    torch.layer_norm: _torch_layer_norm,
    torch.rms_norm: rms_norm,
    torch.batch_norm: _torch_batch_norm,
    torch.instance_norm: _torch_instance_norm,
}


class _Replaced(TorchFunctionMode):
    """Calls the replacement of a function of torch in its stead."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _REPLACEMENTS.get(func, func)(*args, **(kwargs or {}))
