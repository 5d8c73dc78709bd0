"""Validation against the reference, an optimiser to a worker process."""

from dataclasses import dataclass
from pathlib import Path

from normbench.campaigns.samples import of_worker
from normbench.problems import tasks
from normbench.running.validation import Agreement, Scope, validate

# method 1 is validated at three orders, and the reference spends most of its time on the higher ones
_COSTS = {"method1": 10.0, "method2": 2.0, "fromage": 2.0}


@dataclass(frozen=True)
class ValidationJob:
    """One optimiser against the reference, on every backend asked for, in a worker process."""

    task: str
    data_dir: Path | None
    optimiser: str
    backends: tuple[str, ...]
    scope: Scope
    family: object = None

    @property
    def cost(self) -> float:
        """Rough duration in arbitrary units."""
        return _COSTS.get(self.optimiser, 1.0)

    def __call__(self) -> list[Agreement]:
        """Run and judge."""
        return validate(
            tasks.get(self.task),
            of_worker(self.data_dir).of(self.task),
            optimisers=[self.optimiser],
            backends=self.backends,
            scope=self.scope,
        )
