"""The values that a search may try: those of a grid, and beyond either end as it goes on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from normbench.numbers import as_number
from normbench.specs import Hyperparameter, Value
from normbench.specs.values import Searched

_FARTHEST = 20  # values beyond either end of a grid that any search may try


@dataclass(frozen=True)
class Grid:
    """A log grid of one hyperparameter, whose values are numbered from its first on, those below it by -1, -2, ...

    Values of several numbers have no scale, and none but those that are named are tried.

    Attributes
    ----------
    values : tuple of float, or of tuples of numbers
        Ascending.
    of : Hyperparameter
        With its range; where the distance to 1 counts, the grid is one of distances.
    """

    values: tuple[Searched, ...]
    of: Hyperparameter

    def __len__(self) -> int:
        return len(self.values)

    def value(self, k: int) -> Searched:
        """Value k. The grid goes on at both ends by the ratio of every other value: 3, 10, 30 by 100, 300."""
        return self.values[k] if 0 <= k < len(self.values) else self._beyond(k)

    def place(self, value: Searched) -> float:
        """Where a value lies: the value itself, or of several numbers its number in the grid, from 0."""
        return float(self.values.index(value)) if isinstance(value, tuple) else value

    def _beyond(self, k: int) -> float:
        last = len(self.values) - 1
        scaled = [self._scaled(value) for value in self.values if not isinstance(value, tuple)]
        end, step = (0, 1) if k < 0 else (last, -1)
        over = abs(k - end)
        pair = end + 2 * step
        ratio = scaled[end] / scaled[pair] if 0 <= pair <= last else (scaled[end] / scaled[end + step]) ** 2
        return float(f"{self._scaled(scaled[end + step * (over % 2)] * ratio ** ((over + 1) // 2)):.12g}")

    def is_admissible(self, k: int) -> bool:
        """True if value k is one of the grid or, not too far beyond it, within the range of the hyperparameter."""
        if 0 <= k < len(self.values):
            return True
        if isinstance(self.of.default, tuple) or len(self.values) == 1:
            return False
        if not -_FARTHEST <= k < len(self.values) + _FARTHEST:
            return False
        return self.of.low <= self._beyond(k) <= self.of.high

    def outwards(self, start: int) -> Iterator[Searched]:
        """The admissible values beyond one end: from value -1 down, or from the first one past the last up."""
        k, step = start, -1 if start < 0 else 1
        while self.is_admissible(k):
            yield self.value(k)
            k += step

    def away(self, a: Value, b: Value) -> float:
        """How far two values are apart on the scale of the grid; 0 where one of them has no logarithm, and 1 for two of
        several numbers that differ."""
        if isinstance(a, tuple) or isinstance(b, tuple):
            return float(a != b)
        a, b = (self._scaled(as_number(value) or 0.0) for value in (a, b))
        return abs(math.log(a / b)) if a > 0 and b > 0 else 0.0

    def _scaled(self, value: float) -> float:
        """What forms the grid: the value itself, or its distance to 1; it is its own inverse."""
        return 1.0 - value if self.of.near_one else value
