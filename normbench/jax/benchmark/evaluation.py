"""Losses and outputs of a whole set at given weights: networks see some samples at a time."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from normbench.backends.trajectory import samples_at_once
from normbench.data.streamed import StreamedImages
from normbench.jax.benchmark.objective import NetworkObjective
from normbench.jax.benchmark.perceptron import Objective
from normbench.jax.benchmark.spread import Spread, SpreadBatches
from normbench.networks import Network


class Streamed(NamedTuple):
    """The objective of images that are read when they are asked for; only those of some of them can be evaluated."""

    x: StreamedImages
    y: np.ndarray
    network: Network
    precision: Callable[[], AbstractContextManager]  # of the run, around what is placed
    of: Callable[[np.ndarray, np.ndarray], NetworkObjective]  # the one of a batch

    def at(self, rows: slice) -> NetworkObjective:
        """The objective of some of the samples."""
        with self.precision():
            return self.of(self.x[rows], self.y[rows])


@jax.jit
def _loss(objective: Any, weights: Any) -> Array:
    return objective.loss(weights)


@jax.jit
def outputs_of(objective: Any, weights: Any) -> Array:
    """What the network gives for all samples of the objective."""
    return objective.outputs(weights)


def pieces(objective: NetworkObjective | Streamed) -> Iterator[NetworkObjective]:
    """The objective of some samples at a time."""
    at_once = samples_at_once(math.prod(objective.network.output_shape))
    for start in range(0, len(objective.x), at_once):
        yield objective.at(slice(start, start + at_once))


def on_one(objective: Any, samples: int, device: Any) -> Iterator[tuple[Any, int]]:
    """Objectives of some samples at a time on one device, and how many each has: padding lies behind them."""
    each = objective.each if isinstance(objective, Spread) else samples
    for own in objective.on(device) if isinstance(objective, Spread | SpreadBatches) else [objective]:
        left = min(each, samples)
        samples -= left
        for piece in [own] if isinstance(own, Objective) else pieces(own):
            count = left if isinstance(piece, Objective) else min(left, len(piece.x))
            if count > 0:
                yield piece, count
            left -= count


def mean_loss(objective: Any, weights: Any) -> float:
    """Mean loss over all samples of the objective."""
    if isinstance(objective, Objective):
        return float(_loss(objective, weights))
    return sum(len(part.x) * float(_loss(part, weights)) for part in pieces(objective)) / len(objective.x)
