"""Decay of the learning rate on plateaus: the protocol of arXiv 2002.03432, section 6."""

import math
from dataclasses import dataclass

THRESHOLD = 0.01  # relative improvement that still counts


@dataclass
class Plateau:
    """Watches the training error at the checkpoints of a run.

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
