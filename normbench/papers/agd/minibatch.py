"""AGD on mini-batches (arXiv 2304.05187, figure 7), by the float64 reference.

The figure wants weights now and then and no losses in between, which the trainers would evaluate for every batch. AGD
keeps no state between iterations, so its reference update can simply be given one batch after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from normbench.problems import tasks
from normbench.problems.problem import Problem, Weights
from normbench.reference.agd import agd
from normbench.reference.network import Objective
from normbench.running.batches import batches
from normbench.running.request import RunRequest
from normbench.running.run import problem_of

_FIRST_EPOCH = 10  # evaluations within it; then one an epoch, as in the paper


def evaluated_steps(steps: int, epochs: int) -> list[int]:
    """Steps after which a run of ``epochs`` times ``steps`` steps is evaluated, 0 and the last included."""
    early = np.unique(np.linspace(0, steps, min(_FIRST_EPOCH, steps) + 1).round().astype(int))
    return [*map(int, early), *(steps * epoch for epoch in range(2, epochs + 1))]


@dataclass(frozen=True)
class MinibatchJob:
    """One run of AGD in a worker process; ``batch`` is None for the whole training set.

    Calling it gives one row an evaluation: ``batch, seed, step, epoch, train_rms, test_rms`` in the unit of the data,
    and ``step_size, step_size_low, step_size_high``, mean, least and greatest eta since the evaluation before.
    """

    request: RunRequest
    data_dir: Path | None
    batch: int | None
    epochs: int
    family: object = None

    @property
    def cost(self) -> float:
        """Rough duration: a small batch is paid by the step."""
        return self.epochs * (1.0 + 1000.0 / (self.batch or 1e5))

    def __call__(self) -> list[dict[str, Any]]:
        """Train and evaluate."""
        problem = problem_of(self.request, tasks.get(self.request.task).dataset(self.data_dir))
        size = self.batch or len(problem.x_train)
        steps = len(problem.x_train) // size
        wanted = set(evaluated_steps(steps, self.epochs))
        rows: list[dict[str, Any]] = []
        since: list[float] = []
        for step, (weights, eta) in enumerate(self._path(problem, size)):
            since.append(eta)
            if step in wanted:
                rows.append(self._row(problem, size, step, steps, weights, since))
                since = []
        return rows

    def _path(self, problem: Problem, size: int) -> Iterator[tuple[Weights, float]]:
        """Weights before the first step and after each, with the step's eta."""
        samples = len(problem.x_train)
        weights = problem.weights
        yield weights, np.nan
        for chosen in islice(batches(samples, size, seed=self.request.seed), self.epochs * (samples // size)):
            objective = Objective.of(problem, problem.x_train[chosen], problem.y_train[chosen])
            weights, _, eta = agd().step(objective.gradient(weights), weights, ())
            yield weights, eta

    def _row(
        self, problem: Problem, size: int, step: int, steps: int, weights: Weights, etas: list[float]
    ) -> dict[str, Any]:
        train = Objective.of(problem)
        test = Objective.of(problem, problem.x_test, problem.y_test)
        taken = np.array(etas)[np.isfinite(etas)]
        low, mean, high = (taken.min(), taken.mean(), taken.max()) if len(taken) else (np.nan,) * 3
        return {
            "batch": size,
            "seed": self.request.seed,
            "step": step,
            "epoch": step / steps,
            "train_rms": problem.rms(train.loss(weights)),
            "test_rms": problem.rms(test.loss(weights)),
            "step_size": float(mean),
            "step_size_low": float(low),
            "step_size_high": float(high),
        }
