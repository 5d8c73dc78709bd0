"""A job that costs nothing but time: what the engine of campaigns costs shows beside it."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Sleep:
    """A job that does nothing for a while."""

    number: int
    seconds: float = 0.0
    cost: float = 1.0
    family: object = None

    def __call__(self) -> int:
        """Return its number."""
        time.sleep(self.seconds)
        return self.number
