"""What a layer and a network know of themselves: shapes, Lipschitz bound, gain, cost. No framework, and no biases.

Samples have the batch first: vectors (batch, features), images (batch, channels, height, width), tokens (batch, time).
A new layer is one class, in :mod:`normbench.networks.layers` or :mod:`normbench.networks.activations`, and one entry
where it is evaluated: ``reference/layers.py``, ``benchmark/network.py`` of torch and of JAX, and torch's
``benchmark/series.py`` if its derivatives along a curve are to be fast. Where it has no entry, it is refused.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np

from normbench.errors import InvalidArgumentError

Shape: TypeAlias = tuple[int, ...]
WeightT = TypeVar("WeightT")
EntryT = TypeVar("EntryT")


class Layer(ABC):
    """One step of a network; a subclass is a frozen dataclass and says what differs from what stands here.

    Here: no weights, no bound, no gain, no multiplications, every sample by itself.
    """

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """Shapes of its weights, in the order in which every backend keeps them."""
        return ()

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """Shape of a sample behind the layer, from its shape in front.

        Raises
        ------
        InvalidArgumentError
            If the layer does not take such samples.
        """

    def check(self, fits: bool, shape: Shape) -> None:
        """Raise where samples of this shape do not fit; for :meth:`output_shape`."""
        if not fits:
            raise InvalidArgumentError(
                f"layer {self} does not take samples of shape {shape}. Change it or the one before it."
            )

    def bound(self, weights: Sequence[np.ndarray], shape: Shape) -> float:
        """Upper bound on ||y - y'|| / ||x - x'|| with these weights, for samples x of this shape; NaN without one."""
        return math.nan

    @property
    def gain(self) -> float:
        """Operator norm of all in it that is no weight: c in ||y|| <= c ||W||_op ||x||, or <= c ||x|| without weights.

        The same c bounds changes: ||y - y'|| <= c ||W||_op ||x - x'||, which is what the majorant of method 2 needs.

        Raises
        ------
        InvalidArgumentError
            If there is no such number.
        """
        raise InvalidArgumentError(
            f"layer {self} has no fixed gain, so method 2 has no majorant for the network. Use layers that have one: "
            "dense, convolutions, activations, pools; or another optimiser."
        )

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications of a weight or an attention, with the additions behind them, for a sample of this shape."""
        return 0

    def outputs(self, shape: Shape) -> int:
        """How many numbers it puts out for a sample of this shape, all layers inside it counted."""
        return math.prod(self.output_shape(shape))

    @property
    def mixes_samples(self) -> bool:
        """True if what a sample gives depends on the others of its batch."""
        return False


class Fixed(Layer):
    """A layer without weights that maps zero to zero; of the same shape and with gain 1 unless it says otherwise."""

    def output_shape(self, shape: Shape) -> Shape:
        """That of the input."""
        return shape

    @property
    def gain(self) -> float:
        """Its Lipschitz constant."""
        return 1.0

    def bound(self, weights: Sequence[np.ndarray], shape: Shape) -> float:
        """The gain: distances from zero and between samples stretch alike."""
        return self.gain


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they are applied.

    Attributes
    ----------
    input_shape : tuple of int
        Of one sample, without the batch.
    layers : tuple of Layer
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """Shapes of all weights, in the order in which every backend keeps them."""
        return tuple(shape for layer in self.layers for shape in layer.weight_shapes)

    @property
    def output_shape(self) -> Shape:
        """Of one sample, without the batch.

        Raises
        ------
        InvalidArgumentError
            If a layer does not fit what the one before it gives.
        """
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    @property
    def mixes_samples(self) -> bool:
        """True if what a sample gives depends on the others of its batch."""
        return any(layer.mixes_samples for layer in self.layers)

    @property
    def gain(self) -> float:
        """c in ||f(x)|| <= c prod ||W_k||_op ||x||: the product of :attr:`Layer.gain`.

        Raises
        ------
        InvalidArgumentError
            If a layer has none.
        """
        return math.prod((layer.gain for layer in self.layers), start=1.0)

    def lipschitz(self, weights: Sequence[np.ndarray]) -> float:
        """Upper bound on ||f(x) - f(x')|| / ||x - x'||: the product of :meth:`Layer.bound`.

        NaN where a weight is not finite, or a layer has no bound: batch and layer norm, attention, embeddings,
        positions.

        Raises
        ------
        InvalidArgumentError
            If the weights are not those of the network.
        """
        check_weights(self, (weight.shape for weight in weights))
        if not all(np.isfinite(weight).all() for weight in weights):
            return math.nan
        own = with_weights(self.layers, weights)
        bounds = (layer.bound(mine, shape) for (layer, mine), shape in zip(own, self._inputs(), strict=True))
        return math.prod(bounds, start=1.0)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with the additions behind them in a forward pass of one sample."""
        return sum(layer.multiply_adds(shape) for layer, shape in zip(self.layers, self._inputs(), strict=True))

    @property
    def outputs(self) -> int:
        """Numbers that all layers together put out for one sample."""
        return sum(layer.outputs(shape) for layer, shape in zip(self.layers, self._inputs(), strict=True))

    def _inputs(self) -> Iterator[Shape]:
        """Shape of a sample in front of every layer."""
        shape = self.input_shape
        for layer in self.layers:
            yield shape
            shape = layer.output_shape(shape)


@dataclass(frozen=True)
class Residual(Layer):
    """body(x) + shortcut(x); an empty shortcut is the identity. The body's weights come first."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def _branches(self, shape: Shape) -> tuple[Network, Network]:
        return Network(shape, self.body), Network(shape, self.shortcut)

    def split(self, weights: Sequence[WeightT]) -> tuple[Sequence[WeightT], Sequence[WeightT]]:
        """The weights of the body, and those of the shortcut."""
        cut = sum(len(layer.weight_shapes) for layer in self.body)
        return weights[:cut], weights[cut:]

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """Those of the body, then those of the shortcut."""
        return tuple(shape for layer in (*self.body, *self.shortcut) for shape in layer.weight_shapes)

    def output_shape(self, shape: Shape) -> Shape:
        """That of both branches, which must be the same."""
        through, beside = (branch.output_shape for branch in self._branches(shape))
        self.check(through == beside, shape)
        return through

    def bound(self, weights: Sequence[np.ndarray], shape: Shape) -> float:
        """Sum over the branches."""
        through, beside = self._branches(shape)
        of_body, of_shortcut = self.split(weights)
        return through.lipschitz(of_body) + beside.lipschitz(of_shortcut)

    def multiply_adds(self, shape: Shape) -> int:
        """Sum over the branches."""
        return sum(branch.multiply_adds for branch in self._branches(shape))

    def outputs(self, shape: Shape) -> int:
        """The sum of the branches, and what they put out themselves."""
        return super().outputs(shape) + sum(branch.outputs for branch in self._branches(shape))

    @property
    def mixes_samples(self) -> bool:
        """True if a branch does."""
        return any(layer.mixes_samples for layer in (*self.body, *self.shortcut))


def with_weights(layers: tuple[Layer, ...], weights: Sequence[WeightT]) -> Iterator[tuple[Layer, tuple[WeightT, ...]]]:
    """Every layer with the weights that are its own: none, one, four of an attention, those of both branches."""
    remaining = iter(weights)
    for layer in layers:
        yield layer, tuple(itertools.islice(remaining, len(layer.weight_shapes)))


def entry(table: Mapping[type[Layer], EntryT], layer: Layer, place: str) -> EntryT:
    """What a table by kind of layer has for this one; ``place`` is whose table it is, for the message.

    Raises
    ------
    InvalidArgumentError
        If it has nothing.
    """
    if type(layer) not in table:
        known = ", ".join(kind.__name__ for kind in table)
        raise InvalidArgumentError(
            f"layer {type(layer).__name__} has no entry in {place}, which has {known}. Use a backend that has it, or "
            "write the entry."
        )
    return table[type(layer)]


def check_weights(network: Network, shapes: Iterable[Shape]) -> None:
    """Raise InvalidArgumentError unless weights of these shapes are those of the network."""
    given, wanted = [tuple(shape) for shape in shapes], list(network.weight_shapes)
    if given != wanted:
        raise InvalidArgumentError(f"weights must have the shapes {wanted}, network.weight_shapes; got {given}.")
