"""How loss and gradient break down under relative perturbations of all layers (arXiv 2002.03432, figure 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.papers.checkpoints import LookingJob, checkpoints
from normbench.problems.problem import Problem, Weights
from normbench.reference.fromage import lars
from normbench.reference.network import Objective


@dataclass(frozen=True)
class Breakdown:
    """What one perturbation does.

    Attributes
    ----------
    strength : float
        eta, the relative size of the perturbation of every layer.
    loss : float
        Normalised training loss of the perturbed network.
    gradient_change : float
        ||g~_1 - g_1||_F / ||g_1||_F, with g_1 the gradient of the input layer.
    """

    strength: float
    loss: float
    gradient_change: float


def breakdown(objective: Objective, weights: Weights, strengths: Sequence[float]) -> list[Breakdown]:
    """Perturb all layers at once, W_l -> W_l - eta g_l ||W_l||_F / ||g_l||_F, and look at loss and gradient.

    Parameters
    ----------
    objective : Objective
        Full-batch loss and gradient in float64.
    weights : tuple of arrays, shape (fan_out, fan_in)
        The frozen network.
    strengths : sequence of float
        eta; 0 gives the unperturbed loss.
    """
    gradient = objective.gradient(weights)
    size = np.linalg.norm(gradient[0])
    found = []
    for eta in strengths:
        perturbed, *_ = lars(learning_rate=eta).step(gradient, weights, ())  # the perturbation is the step of eq. 5
        change = np.linalg.norm(objective.gradient(perturbed)[0] - gradient[0]) / size
        found.append(Breakdown(float(eta), objective.loss(perturbed), float(change)))
    return found


@dataclass(frozen=True)
class PerturbationJob(LookingJob):
    """One training, its network perturbed at every checkpoint.

    Calling it gives one row a perturbation: ``depth, seed, iteration, strength, rms, gradient_change``, the RMS in
    the unit of the data.
    """

    iterations: tuple[int, ...]
    strengths: tuple[float, ...]

    @property
    def cost(self) -> float:
        """Rough duration: layers times what is done with them."""
        return len(self.request.layers) * (self.request.iterations + 10.0 * len(self.iterations) * len(self.strengths))

    def __call__(self) -> list[dict[str, Any]]:
        """Train and perturb."""
        problem = self.problem()
        objective = Objective.of(problem)
        return [
            self._row(problem, point.iteration, found)
            for point in checkpoints(self.request, problem, self.iterations)
            for found in breakdown(objective, point.weights, self.strengths)
        ]

    def _row(self, problem: Problem, iteration: int, found: Breakdown) -> dict[str, Any]:
        return {
            "depth": len(self.request.layers) - 1,
            "seed": self.request.seed,
            "iteration": iteration,
            "strength": found.strength,
            "rms": problem.rms(found.loss),
            "gradient_change": found.gradient_change,
        }
