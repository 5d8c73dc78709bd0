"""A start at a Lipschitz bound that does not shout: no larger outputs than there are targets."""

from dataclasses import replace

import numpy as np

from normbench.networks import Loss
from normbench.problems.problem import Problem
from normbench.reference.network import forward


def within_targets(problem: Problem) -> Problem:
    """The problem with all weights scaled alike by a^(1/L), a = min(1, rms(y) / rms(f(x))) over the training set.

    A bound far above what the data need would else begin with errors that are as far above theirs. Layers between the
    weights are taken to be homogeneous, as ReLUs are. For cross-entropy the problem stays as it is.
    """
    if problem.loss is not Loss.SQUARE:
        return problem
    outputs = forward(problem.network, problem.weights, problem.x_train)
    size = np.linalg.norm(outputs)
    a = min(1.0, float(np.linalg.norm(problem.y_train) / size)) if size > 0 else 1.0
    return replace(problem, weights=tuple(a ** (1 / len(problem.weights)) * w for w in problem.weights))
