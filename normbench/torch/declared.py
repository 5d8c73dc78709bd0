"""A user's ``torch.nn.Sequential`` as a declared network, which knows gains and what a parametrisation takes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.networks.activations import LeakyRelu, Relu, Tanh
from normbench.networks.base import Layer
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, MaxPool


class Declared(NamedTuple):
    """The network, without the shape of its inputs, and its modules with weights by name, in the same order."""

    network: Network
    weighted: dict[str, nn.Linear | nn.Conv2d]


def declared(module: nn.Module) -> Declared:
    """What a Sequential computes, layer by layer; Sequentials inside it are opened, biases left out.

    Raises
    ------
    InvalidArgumentError
        If it is no Sequential, has no weights, or a layer has no declaration; the message names it.
    """
    if not isinstance(module, nn.Sequential):
        raise InvalidArgumentError(
            f"module must be a torch.nn.Sequential, with its layers in their order; got {type(module).__name__}. "
            "Parametrise the Sequentials inside it, and multiply their bounds."
        )
    layers, weighted, seen = [], {}, set()
    for name, child in _flat(module, ""):
        make = _LAYERS.get(type_before_parametrizations(child))
        if make is None:
            known = ", ".join(kind.__name__ for kind in _LAYERS)
            raise InvalidArgumentError(
                f"layer {name!r}, {child}, is none of those whose Lipschitz constant is known: {known}. "
                "Put another in its place, or parametrise the Sequentials before and after it."
            )
        layers.append(make(name, child))
        if isinstance(child, nn.Linear | nn.Conv2d):
            if child in seen:
                raise InvalidArgumentError(
                    f"layer {name!r}, {child}, is in the Sequential twice. Make a copy of it, with a weight of its own."
                )
            seen.add(child)
            weighted[name] = child
    if not weighted:
        raise InvalidArgumentError("module must have a Linear or Conv2d layer; got none.")
    return Declared(Network((), tuple(layers)), weighted)


def _flat(module: nn.Sequential, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module._modules.items():  # named_children leaves out what comes twice
        if isinstance(child, nn.Sequential):
            yield from _flat(child, f"{prefix}{name}.")
        elif child is not None and not isinstance(child, nn.Identity):
            yield f"{prefix}{name}", child


def _convolution(name: str, child: nn.Conv2d) -> Layer:
    sides = {*child.kernel_size}, {*child.stride}, {*_padding(child)}
    plain = all(len(side) == 1 for side in sides) and (*child.dilation, child.groups) == (1, 1, 1)
    if not plain or child.padding_mode != "zeros":
        raise InvalidArgumentError(
            f"layer {name!r}, {child}, must have a square kernel, the same stride in both directions, the same "
            "padding on all sides, zeros as padding, one group and no dilation: its gain is known for these alone."
        )
    (padding,) = sides[2]
    return Convolution(child.in_channels, child.out_channels, child.kernel_size[0], child.stride[0], padding)


def _padding(child: nn.Conv2d) -> Iterator[int]:
    """Of each side; "same" puts the odd one behind, where a kernel has an even size."""
    if child.padding == "valid":
        yield 0
    elif child.padding == "same":
        for size, step in zip(child.kernel_size, child.dilation, strict=True):
            whole = step * (size - 1)
            yield from (whole // 2, whole - whole // 2)
    else:
        yield from map(int, child.padding)


def _tiles(kind: Callable[[int], Layer]) -> Callable[..., Layer]:
    """A pool without overlap."""

    def make(name: str, child: nn.AvgPool2d | nn.MaxPool2d) -> Layer:
        sides = {_pair(child.kernel_size), _pair(child.stride)}
        odd = getattr(child, "dilation", 1) not in (1, (1, 1)) or getattr(child, "divisor_override", None) is not None
        size = _pair(child.kernel_size)[0]
        if sides != {(size, size)} or _pair(child.padding) != (0, 0) or child.ceil_mode or odd:
            raise InvalidArgumentError(
                f"layer {name!r}, {child}, must have square tiles without overlap, padding, dilation and ceil_mode: "
                "its gain is known for these alone."
            )
        return kind(size)

    return make


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


_LAYERS: dict[type[nn.Module], Callable[..., Layer]] = {
    nn.Linear: lambda name, child: Dense(child.in_features, child.out_features),
    nn.Conv2d: _convolution,
    nn.ReLU: lambda name, child: Relu(),
    nn.LeakyReLU: lambda name, child: LeakyRelu(child.negative_slope),
    nn.Tanh: lambda name, child: Tanh(),
    nn.Flatten: lambda name, child: Flatten(),
    nn.AvgPool2d: _tiles(AveragePool),
    nn.MaxPool2d: _tiles(MaxPool),
}
