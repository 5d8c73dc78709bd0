"""Why method 1 stalls in deep networks: outputs, loss, derivatives and gradients at its start, in float64.

``python -m benchmarks.depth`` prints the table of ``results/axes.md``: the reference, digits, width 25, seed 0.
"""

import math

import numpy as np

from normbench.networks import perceptron
from normbench.networks.activations import ACTIVATIONS
from normbench.problems import tasks
from normbench.reference.method1 import algorithm2
from normbench.reference.network import Objective, forward
from normbench.reference.spheres import direction, radii
from normbench.specs import Normalisation

_SAMPLES = 400
_SETTINGS = (("relu", "usual"), ("relu", "orthogonal"), ("maxmin", "usual"), ("maxmin", "orthogonal"))
_DEPTHS = (4, 16, 24, 32)


def row(activation: str, initialisation: str, depth: int) -> str:
    """One start as a row of Markdown."""
    problem = tasks.problem(
        tasks.get("digits").dataset(),
        perceptron((64, *(25,) * (depth - 1), 10), ACTIVATIONS[activation]),
        Normalisation.SPHERES,
        split="random",
        seed=0,
        initialisation=initialisation,
    )
    x, y, weights = problem.x_train[:_SAMPLES], problem.y_train[:_SAMPLES], problem.weights
    objective = Objective(problem.network, x, y, problem.loss, problem.loss_divisor)
    loss, gradient = objective.loss(weights), objective.gradient(weights)
    velocity = tuple(r * direction(g, w, radius=r) for g, w, r in zip(gradient, weights, radii(weights), strict=True))
    first, second = objective.curve_derivatives(weights, velocity, 2)
    tau = algorithm2(first, second, trust_region=math.pi / 6)
    share = np.linalg.norm(forward(problem.network, weights, x)) / np.linalg.norm(y)
    smallest = min(np.linalg.norm(g) for g in gradient)
    numbers = (share, loss, -first / loss, second / loss, tau, smallest)
    return f"| {activation} | {initialisation} | {depth} | " + " | ".join(f"{number:.1e}" for number in numbers) + " |"


if __name__ == "__main__":
    print("| activation | initialisation | depth | norm f / norm y | L | -L' / L | L'' / L | tau | least norm of g |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for setting in _SETTINGS:
        for depth in _DEPTHS:
            print(row(*setting, depth), flush=True)
