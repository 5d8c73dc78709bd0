"""Validation against the reference, an optimiser to a worker process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normbench import tasks
from normbench.training.validation import Agreement, validate

# method 1 is validated at three orders, and the reference spends most of its time on the higher ones
_COSTS = {"method1": 10.0, "method2": 2.0, "fromage": 2.0}


@dataclass(frozen=True)
class ValidationJob:
    """One optimiser against the reference, on every backend asked for, in a worker process.

    ``samples``: how many of the data, from the first; None for all.
    """

    task: str
    data_dir: Path | None
    optimiser: str
    backends: tuple[str, ...]
    iterations: int
    samples: int | None = None
    family: object = None

    @property
    def cost(self) -> float:
        """Rough duration in arbitrary units."""
        return _COSTS.get(self.optimiser, 1.0)

    def __call__(self) -> list[Agreement]:
        """Run and judge."""
        task = tasks.get(self.task)
        dataset = task.dataset(self.data_dir)
        if self.samples is not None:
            dataset = dataset.take(np.arange(self.samples))
        return validate(task, dataset, optimisers=[self.optimiser], backends=self.backends, iterations=self.iterations)
