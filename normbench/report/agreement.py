"""Validation against the reference, an optimiser to a worker process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from normbench import tasks
from normbench.records.pool import Outcome, Pool
from normbench.training.validation import Agreement, validate

# method 1 is validated at three orders, and the reference spends most of its time on the higher ones
_COSTS = {"method1": 10.0, "method2": 2.0, "fromage": 2.0}


@dataclass(frozen=True)
class ValidationJob:
    """One optimiser against the reference, on every backend asked for, in a worker process."""

    task: str
    data_dir: Path | None
    optimiser: str
    backends: tuple[str, ...]
    iterations: int
    family: object = None

    @property
    def cost(self) -> float:
        """Rough duration in arbitrary units."""
        return _COSTS.get(self.optimiser, 1.0)

    def __call__(self) -> list[Agreement]:
        """Run and judge."""
        dataset = tasks.get(self.task).dataset(self.data_dir)
        return validate(dataset, optimisers=[self.optimiser], backends=self.backends, iterations=self.iterations)


def measure(
    jobs: Sequence[ValidationJob], *, processes: int, threads: int, on_done: Callable[[str], None]
) -> list[Agreement]:
    """Agreements of every job, in the order of the jobs.

    Parameters
    ----------
    jobs : sequence of ValidationJob
    processes, threads : int
        Jobs at the same time, and threads for each.
    on_done : callable
        Told the optimiser when it has been judged.

    Raises
    ------
    RuntimeError
        If a worker process died.
    Exception
        What a job raised, such as :class:`normbench.errors.BackendUnavailableError`.
    """
    found: dict[ValidationJob, list[Agreement]] = {}

    def finish(outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error
        if outcome.died:
            raise RuntimeError(f"validation of {outcome.job.optimiser}: {outcome.died}")
        found[outcome.job] = outcome.value
        on_done(outcome.job.optimiser)

    with Pool(processes, threads) as pool:
        pool.run(jobs, finish)
    return [agreement for job in jobs for agreement in found[job]]
