"""Optimisers of libraries that evaluate the loss themselves, through a closure that remembers what it has seen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Step
from normbench.torch.updates.library import give


class Evaluated(NamedTuple):
    """What the line search has seen at some values of what the library moves."""

    moved: list[Tensor]
    weights: list[Tensor]
    loss: Tensor
    gradient: list[Tensor]


class Searching:
    """A library's line search, one direction a call, with every evaluation remembered until the next call.

    Attributes
    ----------
    _moved : list of Tensor
        What the library moves in place; the weights as they are, unless :meth:`_weights` says otherwise.
    """

    def __init__(self, objective: Any, moved: list[Tensor]) -> None:
        self._objective = objective
        self._moved = moved
        self._seen: list[Evaluated] = []

    def _weights(self) -> list[Tensor]:
        return [w.clone() for w in self._moved]

    def _gradient(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Gradient of what is moved from that of the weights."""
        return [g.clone() for g in weights]

    def _copies(self) -> list[Tensor]:
        return [w.detach().clone() for w in self._moved]

    def _known_at(self, point: Any) -> None:
        """Nothing that is evaluated already is evaluated again."""
        if not self._seen:
            self._seen = [Evaluated(self._copies(), point.weights, point.loss, self._objective.slope(point).gradient)]

    def _closure(self) -> Tensor:
        known = self._known()
        if known is None:
            point = self._objective.point(self._weights())
            known = Evaluated(self._copies(), point.weights, point.loss, self._objective.slope(point).gradient)
            self._seen.append(known)
        give(self._moved, self._gradient(known.gradient))
        return known.loss

    def _known(self) -> Evaluated | None:
        return next((e for e in reversed(self._seen) if all(map(torch.equal, e.moved, self._moved))), None)

    def _found(self) -> Evaluated:
        """Where the step ended; the search has evaluated it, unless rounding put the weights elsewhere."""
        self._closure()
        return self._known() or self._seen[-1]  # weights that are not finite equal nothing

    def _ended(self, point: Any, length: float) -> Step:
        found = self._found()
        self._seen = [found]
        return Step(point._replace(weights=found.weights, loss=found.loss), self, length)
