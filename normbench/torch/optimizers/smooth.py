"""Where torch's fused operators have wrong or no higher derivatives, the same functions by operators that have them.

Derivatives of torch's layer, batch and instance normalisation take the statistics of the batch for constants: wrong
from the second order in forward mode and from the third in reverse mode (pytorch issues 196700, 196699, 186256,
198017). Fused attention has none at all. Every stand-in calls the original, too, on inputs without derivatives: for its
checks and their messages, for what it writes into running statistics, and for the dtype and layout of the result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

Given = Mapping[str, Any]  # the arguments of a call by name; what is not said is not there

EPSILON = 1e-5  # torch's, where none is given


@contextmanager
def smooth_operators() -> Iterator[None]:
    """Use the operators of this module while a network runs."""
    with sdpa_kernel(SDPBackend.MATH), _Replaced():
        yield


class _Replaced(TorchFunctionMode):
    """Calls the replacement of a function of torch in its stead."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _STAND_INS:
            return _STAND_INS[func].call(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def _layer_norm(given: Given) -> Tensor:
    shape = given["normalized_shape"]
    return _affine(_standardised(given, tuple(range(-len(shape), 0))), given, shape)


def _rms_norm(given: Given) -> Tensor:
    x, shape = _wide(given["input"]), given["normalized_shape"]
    eps = given.get("eps")
    small = torch.finfo(x.dtype).eps if eps is None else eps
    mean_square = x.square().mean(tuple(range(-len(shape), 0)), keepdim=True)
    return _affine(x * torch.rsqrt(mean_square + small), given, shape)


def _over_batch(given: Given) -> Tensor:
    """Every channel by its statistics over samples and pixels."""
    axes = range(2, given["input"].dim())
    return _affine(_standardised(given, (0, *axes)), given, (-1, *[1] * len(axes)))


def _over_pixels(given: Given) -> Tensor:
    """Every channel of every sample by its statistics over pixels."""
    axes = range(2, given["input"].dim())
    return _affine(_standardised(given, tuple(axes)), given, (-1, *[1] * len(axes)))


def _standardised(given: Given, axes: tuple[int, ...]) -> Tensor:
    """(x - mean) / sqrt(variance + eps), in float32 at least."""
    x = _wide(given["input"])
    variance = x.var(axes, correction=0, keepdim=True)
    return (x - x.mean(axes, keepdim=True)) * torch.rsqrt(variance + given.get("eps", EPSILON))


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _affine(x: Tensor, given: Given, shape: Sequence[int]) -> Tensor:
    """x times weight, plus bias."""
    weight, bias = given.get("weight"), given.get("bias")
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _laid_out(value: Tensor, expected: Tensor) -> Tensor:
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    if expected.is_contiguous():
        return value.contiguous()
    layout = layouts.get(expected.dim())
    if layout is not None and expected.is_contiguous(memory_format=layout):
        return value.contiguous(memory_format=layout)
    return value


def _detached(name: str, value: Any) -> Any:
    return value.detach() if name in ("input", "weight", "bias") and isinstance(value, Tensor) else value


@dataclass(frozen=True)
class _StandIn:
    """The value of a function by a formula, with the checks, side effects, dtype and layout of the function itself.

    Attributes
    ----------
    arguments : tuple of str
        Of the function, in order.
    formula : callable
        From its arguments by name to its value.
    flag, unsaid : str and bool
        The argument without which the function is affine in its input, and nothing is wrong with it; and what that
        argument is where it is not given.
    """

    arguments: tuple[str, ...]
    formula: Callable[[Given], Tensor]
    flag: str = ""
    unsaid: bool = True

    def call(self, original: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        given = dict(zip(self.arguments, args, strict=False)) | kwargs
        x = given.get("input")
        empty = isinstance(x, Tensor) and x.numel() == 0  # nothing to differentiate
        if empty or not given.get(self.flag, self.unsaid) or len(args) > len(self.arguments):
            return original(*args, **kwargs)
        with torch.no_grad():
            positional = map(_detached, self.arguments, args)
            expected = original(*positional, **{name: _detached(name, value) for name, value in kwargs.items()})
        return _laid_out(self.formula(given).to(expected.dtype), expected)


_LAYER = ("input", "normalized_shape", "weight", "bias", "eps")
_RMS = ("input", "normalized_shape", "weight", "eps")
_MODULES = ("input", "running_mean", "running_var", "weight", "bias")  # of torch.nn.functional
_KERNELS = ("input", "weight", "bias", "running_mean", "running_var")  # what that calls, and some networks themselves
_STATISTICS = ("momentum", "eps", "cudnn_enabled")
_STAND_INS: dict[Callable[..., Any], _StandIn] = {
    functional.layer_norm: _StandIn(_LAYER, _layer_norm),
    functional.rms_norm: _StandIn(_RMS, _rms_norm),
    functional.batch_norm: _StandIn((*_MODULES, "training", "momentum", "eps"), _over_batch, "training", unsaid=False),
    functional.instance_norm: _StandIn(
        (*_MODULES, "use_input_stats", "momentum", "eps"), _over_pixels, "use_input_stats"
    ),
    torch.layer_norm: _StandIn((*_LAYER, "cudnn_enable"), _layer_norm),
    torch.rms_norm: _StandIn(_RMS, _rms_norm),
    torch.batch_norm: _StandIn((*_KERNELS, "training", *_STATISTICS), _over_batch, "training"),
    torch.instance_norm: _StandIn((*_KERNELS, "use_input_stats", *_STATISTICS), _over_pixels, "use_input_stats"),
}
