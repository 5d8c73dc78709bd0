"""A training run looked at while it goes on: weights at chosen iterations, and how far each step moves a layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from normbench.campaigns.samples import of_worker
from normbench.errors import InvalidArgumentError
from normbench.problems.problem import Problem, Weights
from normbench.running.request import RunRequest
from normbench.running.run import build_trainer, problem_of


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a run is after ``iteration`` iterations: weights in float64, and training RMS in the unit of the data."""

    iteration: int
    weights: Weights
    rms: float


def checkpoints(request: RunRequest, problem: Problem, iterations: Sequence[int]) -> Iterator[Checkpoint]:
    """The run at those iterations, as far as it gets; the last checkpoint of a run that ends early is its end.

    Parameters
    ----------
    request : RunRequest
    problem : Problem
        What the request starts from, see :func:`normbench.running.run.problem_of`.
    iterations : sequence of int
        Increasing, from 0 to the request's own number.

    Raises
    ------
    InvalidArgumentError
        If the iterations do not increase or do not fit the request.
    BackendUnavailableError
        If the backend or the device is missing.
    """
    if any(np.diff(iterations) <= 0) or not 0 <= min(iterations) <= max(iterations) <= request.iterations:
        raise InvalidArgumentError(
            f"checkpoints must increase from 0 to at most {request.iterations} iterations; got {list(iterations)}."
        )
    trainer = build_trainer(request, problem)
    trainer.compile()
    done = 0
    for target in iterations:
        done += trainer.advance(target - done)
        path = trainer.trajectory()
        yield Checkpoint(done, path.weights, problem.rms(path.loss[-1]))
        if done < target:
            return


def relative_updates(before: Weights, after: Weights) -> np.ndarray:
    """||dW_k||_F / ||W_k||_F for every layer (arXiv 2304.05187, figure 5)."""
    moved = [np.linalg.norm(new - old) / np.linalg.norm(old) for old, new in zip(before, after, strict=True)]
    return np.array(moved)


@dataclass(frozen=True)
class LookingJob:
    """A run in a worker process that is looked at while it goes on: it trains again, as records hold no weights."""

    request: RunRequest
    data_dir: Path | None

    @property
    def cost(self) -> float:
        """Rough duration."""
        return float(self.request.iterations)

    @property
    def family(self) -> object:
        """What has to be compiled anew when it changes."""
        return type(self), self.request.optimiser, self.request.layers

    def problem(self) -> Problem:
        """What the run starts from."""
        return problem_of(self.request, of_worker(self.data_dir).of(self.request.task))


@dataclass(frozen=True)
class UpdateSizeJob(LookingJob):
    """Steps measured after ``iterations``.

    Calling it gives one row a step: ``optimiser, seed, iteration, layer, relative_update``, layers from 1.
    """

    iterations: tuple[int, ...]

    def __call__(self) -> list[dict[str, Any]]:
        """Train and measure."""
        wanted = sorted({*self.iterations, *(k + 1 for k in self.iterations)})
        seen = {point.iteration: point.weights for point in checkpoints(self.request, self.problem(), wanted)}
        return [
            {
                "optimiser": self.request.optimiser,
                "seed": self.request.seed,
                "iteration": k,
                "layer": layer,
                "relative_update": float(size),
            }
            for k in self.iterations
            if k in seen and k + 1 in seen
            for layer, size in enumerate(relative_updates(seen[k], seen[k + 1]), start=1)
        ]
