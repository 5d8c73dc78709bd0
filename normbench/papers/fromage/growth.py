"""Layer norms over a training with relative updates, with and without rescaling-invariant layers.

A layer that is divided by its own norm, as under spectral norm in arXiv 2002.03432 (figure 2), has a gradient
orthogonal to it: <g, W> = 0. LARS then multiplies ||W||_F by sqrt(1 + eta^2) every step, until the numbers
overflow; Fromage's prefactor takes that factor back out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.papers.checkpoints import LookingJob, checkpoints
from normbench.problems.problem import Weights
from normbench.reference.network import Objective
from normbench.reference.trainer import METHODS

SAMPLES = 4096  # of the training set: thousands of steps in NumPy
_SMALL = 1e-8
NORMALISED, PLAIN = "every layer divided by its norm", "plain layers"


def on_spheres(weights: Weights) -> Weights:
    """W_l / ||W_l||_F for every layer."""
    return tuple(W / np.linalg.norm(W) for W in weights)


def invariant_gradient(objective: Objective, weights: Weights) -> Weights:
    """Gradient of W -> L(W_1 / ||W_1||_F, ..., W_L / ||W_L||_F).

    g_l = (G_l - <G_l, U_l> U_l) / ||W_l||_F  with  U_l = W_l / ||W_l||_F and G_l the gradient of L at U
    """
    points = on_spheres(weights)
    gradient = objective.gradient(points)
    return tuple((G - np.vdot(G, U) * U) / np.linalg.norm(W) for G, U, W in zip(gradient, points, weights, strict=True))


@dataclass(frozen=True)
class _GrowthJob(LookingJob):
    """One training; calling it gives one row a layer and stored iteration.

    The rows are ``layers, optimiser, seed, iteration, layer, norm, rms``; a norm that has overflown is infinite, an RMS
    after that is NaN.
    """

    every: int

    def _rows(self, kind: str, iteration: int, norms: list[float], rms: float) -> list[dict[str, Any]]:
        shared = {
            "layers": kind,
            "optimiser": self.request.optimiser,
            "seed": self.request.seed,
            "iteration": iteration,
        }
        return [{**shared, "layer": k, "norm": norm, "rms": rms} for k, norm in enumerate(norms, start=1)]


@dataclass(frozen=True)
class InvariantGrowthJob(_GrowthJob):
    """LARS or Fromage on a perceptron that divides every layer by its norm.

    The reference's updates in float32 on the first 4,096 training samples.
    """

    def __call__(self) -> list[dict[str, Any]]:
        """Train until the end or until a norm has overflown."""
        problem = self.problem()
        x, y = problem.x_train[:SAMPLES].astype(np.float32), problem.y_train[:SAMPLES].astype(np.float32)
        # steps do not see the scale of the loss; a large one keeps squared gradients, which shrink as the norms grow,
        # within float32 until the norms leave it
        scale = float(np.square(y).sum(axis=1).mean()) * _SMALL
        objective = Objective(problem.network, x, y, problem.loss, scale)
        optimiser = METHODS[self.request.optimiser](**dict(self.request.hyperparameters))
        weights = tuple(w.astype(np.float32) for w in problem.weights)
        state = optimiser.init(objective, weights)
        rows = []
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is what is looked for
            for k in range(self.request.iterations + 1):
                norms = [float(np.linalg.norm(w)) for w in weights]
                ended = not np.isfinite(norms).all()
                if ended or k % self.every == 0:
                    loss = objective.loss(on_spheres(weights)) * scale / problem.loss_divisor
                    rows += self._rows(NORMALISED, k, norms, problem.rms(loss))
                if ended:
                    break
                weights, state, _ = optimiser.step(invariant_gradient(objective, weights), weights, state)
        return rows


@dataclass(frozen=True)
class PlainGrowthJob(_GrowthJob):
    """The same optimisers on the benchmark's own perceptron, by the trainers."""

    def __call__(self) -> list[dict[str, Any]]:
        """Train and look at every ``every``-th iteration."""
        problem = self.problem()
        wanted = range(0, self.request.iterations + 1, self.every)
        return [
            row
            for point in checkpoints(self.request, problem, wanted)
            for row in self._rows(PLAIN, point.iteration, [float(np.linalg.norm(w)) for w in point.weights], point.rms)
        ]
