"""How the learning rate falls along a run: looked at, and changed, at the checkpoints alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

THRESHOLD = 0.01  # relative improvement that still counts


class Schedule(Protocol):
    """What changes a learning rate at the checkpoints of a run."""

    def factor_at(self, error: Callable[[], float]) -> float:
        """What the rate is multiplied with at this checkpoint, which is the next after that of the last call.

        Parameters
        ----------
        error : callable
            The training error there; called only where it is needed.
        """


@dataclass
class Linear:
    """A rate that falls linearly to 0 over the run, constant between two checkpoints.

    With n stairs it is the given one times 1 - (j + 1/2) / n in stair j: the mean of the straight line over the stair.

    Attributes
    ----------
    stairs : int
        n, checkpoints less one: the first checkpoint is that before the run, and at the last nothing changes.
    """

    stairs: int
    _stair: int = 0

    def factor_at(self, error: Callable[[], float]) -> float:
        """The rate of the stair that begins here over that of the one that ends."""
        j, n = self._stair, self.stairs
        self._stair += 1
        if j >= n:
            return 1.0
        return (2 * (n - j) - 1) / (2 * (n - j) + 1 if j else 2 * n)


@dataclass
class Plateau:
    """Watches the training error at the checkpoints of a run: the protocol of arXiv 2002.03432, section 6.

    Attributes
    ----------
    factor : float
        What the learning rate is multiplied with on a plateau; the paper's tenth.
    patience : int
        Checkpoints without an improvement by one per cent that are waited for; the next such one is a plateau.
    """

    factor: float = 0.1
    patience: int = 2
    _best: float = math.inf
    _waited: int = 0

    def factor_at(self, error: Callable[[], float]) -> float:
        """:attr:`factor` where the error is flat, else 1."""
        return self.factor if self.is_flat(error()) else 1.0

    def is_flat(self, error: float) -> bool:
        """True if the error has not improved for more than ``patience`` checkpoints; the count then starts again."""
        if error < (1 - THRESHOLD) * self._best:
            self._best, self._waited = error, 0
            return False
        self._waited += 1
        if self._waited <= self.patience:
            return False
        self._waited = 0
        return True


_MADE: dict[str, Callable[[int], Schedule | None]] = {
    "constant": lambda stairs: None,
    "plateau": lambda stairs: Plateau(),
    "linear": Linear,
}
SCHEDULES = tuple(_MADE)
TO_THE_END = ("linear",)  # those by which the rate falls until the run ends, however long that is


def schedule(name: str, *, stairs: int) -> Schedule | None:
    """The schedule of one run with so many stairs between its checkpoints; None where the rate is constant."""
    return _MADE[name](stairs)
