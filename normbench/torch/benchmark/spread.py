"""An objective whose samples are spread over devices: each answers for its share, and the answers are summed.

What an optimiser asks of an objective it asks of this one, and knows of no devices. One process does it all: a step
asks for losses, gradients and derivatives along a curve as often as it likes, where processes that exchange gradients
would have to take the same turns. Every device has a thread, so that they compute at the same time.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

Answer = TypeVar("Answer")


class Point(NamedTuple):
    """A forward pass at ``weights``, with the point of every device."""

    weights: list[Tensor]
    loss: Tensor
    parts: list[Any]


class Slope(NamedTuple):
    """Gradient at a point, with the slope of every device."""

    gradient: list[Tensor]
    parts: list[Any]


class Spread:
    """Mean loss over the samples of several objectives, with every pass counted in samples.

    Parameters
    ----------
    parts : sequence of Objective or NetworkObjective
        Each on its own device, with its share of the samples.
    devices : sequence of torch.device
        Of the parts; what is summed is on the first of them, as are the weights.
    sizes : sequence of int
        Samples of each part.
    """

    def __init__(self, parts: Sequence[Any], devices: Sequence[torch.device], sizes: Sequence[int]) -> None:
        self._parts, self._devices = parts, devices
        self._samples = sum(sizes)
        self._look_at(sizes)
        self._losses = self._gradients = 0
        self._others = ThreadPoolExecutor(len(parts) - 1, thread_name_prefix="normbench-device")

    def _look_at(self, sizes: Sequence[int]) -> None:
        """So many samples of each part make the mean."""
        self._at_hand = sum(sizes)
        self._shares = [size / self._at_hand for size in sizes]

    @property
    def majorant_scale(self) -> float:
        """Q of method 2 over the samples of all parts."""
        return sum(share * part.majorant_scale for share, part in zip(self._shares, self._parts, strict=True))

    @property
    def evaluations(self) -> tuple[int, int]:
        """Passes over all samples so far: those for the loss, and those for its gradient."""
        return round(self._losses / self._samples), round(self._gradients / self._samples)

    def outputs(self, weights: Sequence[Tensor]) -> Iterator[Tensor]:
        """What the network gives for all samples, some at a time; no pass of the training is counted."""
        everywhere = zip(self._parts, self._everywhere(weights), strict=True)
        return chain.from_iterable(part.outputs(own) for part, own in everywhere)

    def point(self, weights: list[Tensor]) -> Point:
        """Forward pass at ``weights``."""
        self._losses += self._at_hand
        points = self._each(lambda part, own: part.point(own), self._everywhere(weights))
        return Point(weights, self._sum([point.loss for point in points]), points)

    def slope(self, point: Point) -> Slope:
        """Backward pass from a point."""
        self._gradients += self._at_hand
        slopes = self._each(lambda part, own: part.slope(own), point.parts)
        of_layers = zip(*(slope.gradient for slope in slopes), strict=True)
        return Slope([self._sum(of_layer) for of_layer in of_layers], slopes)

    def curve_derivatives(
        self, point: Point, slope: Slope, velocity: Sequence[Tensor], turning: Sequence[bool], order: int
    ) -> list[float]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``."""

        def ask(part: Any, *own: Any) -> list[float]:
            found: list[float] = part.curve_derivatives(*own, turning, order)
            return found

        return self._total(self._each(ask, point.parts, slope.parts, self._everywhere(velocity)))

    def series_derivatives(self, point: Point, slope: Slope, curve: Sequence[Sequence[Tensor]]) -> list[float]:
        """L'(0) and L''(0) along any curve, from the coefficients of order 0, 1 and 2 of every weight."""
        by_order = [self._everywhere(coefficients) for coefficients in zip(*curve, strict=True)]
        curves = [list(zip(*own, strict=True)) for own in zip(*by_order, strict=True)]

        def ask(part: Any, *own: Any) -> list[float]:
            found: list[float] = part.series_derivatives(*own)
            return found

        return self._total(self._each(ask, point.parts, slope.parts, curves))

    def _each(self, ask: Callable[..., Answer], *given: Sequence[Any]) -> list[Answer]:
        """What every part answers, in a thread of its own; ``given`` has arguments by part."""

        def alone(*own: Any) -> Answer:
            with torch.no_grad():  # which a thread does not have from the one that starts it
                return ask(*own)

        first, *others = zip(self._parts, *given, strict=True)
        waiting = [self._others.submit(alone, *own) for own in others]
        return [alone(*first), *(answer.result() for answer in waiting)]

    def _everywhere(self, tensors: Sequence[Tensor]) -> list[list[Tensor]]:
        """On every device; the same tensors where that is one."""
        return [[t.to(device) for t in tensors] for device in self._devices]

    def _sum(self, answers: Sequence[Tensor]) -> Tensor:
        """By their shares, on the first device."""
        total = answers[0] * self._shares[0]
        for share, answer in zip(self._shares[1:], answers[1:], strict=True):
            total.add_(answer.to(total.device), alpha=share)
        return total

    def _total(self, answers: Sequence[Sequence[float]]) -> list[float]:
        return [
            sum(share * value for share, value in zip(self._shares, values, strict=True))
            for values in zip(*answers, strict=True)
        ]


class SpreadBatches(Spread):
    """The same of batches: every part has all samples, and looks at its share of the batch that is given.

    Parameters
    ----------
    parts : sequence of NetworkObjective
    devices : sequence of torch.device
    samples : int
        Of each part.
    """

    def __init__(self, parts: Sequence[Any], devices: Sequence[torch.device], samples: int) -> None:
        super().__init__(parts, devices, [samples] * len(parts))
        self._samples = samples

    def select(self, rows: np.ndarray) -> None:
        """Look at these samples only, until the next call."""
        chosen = np.array_split(rows, len(self._parts))
        for part, own in zip(self._parts, chosen, strict=True):
            part.select(own)
        self._look_at([len(own) for own in chosen])

    def take(self, x: Tensor, y: Tensor) -> None:
        """Look at these samples, which need not be among its own, with their targets, until the next call."""
        shares = zip(x.tensor_split(len(self._parts)), y.tensor_split(len(self._parts)), strict=True)
        sizes = []
        for part, device, own in zip(self._parts, self._devices, shares, strict=True):
            part.take(*(samples.to(device) for samples in own))
            sizes.append(len(own[0]))
        self._look_at(sizes)

    def outputs(self, weights: Sequence[Tensor]) -> Iterator[Tensor]:
        """What the network gives for all samples, of which the first part has all."""
        found: Iterator[Tensor] = self._parts[0].outputs(weights)
        return found
