"""Scaling to a Lipschitz bound: outputs in such a unit that weights of gain 1 keep it."""

from dataclasses import replace

import numpy as np

from normbench.networks import Loss, Network, as_network
from normbench.networks.base import Shape
from normbench.networks.layers import Scale
from normbench.numbers import positive
from normbench.problems.initial_weights import draw
from normbench.problems.problem import Part, Problem
from normbench.problems.scaling import scaled_problem

ROUNDING_SLACK = 2e-6  # of every weight: norms of 1 + 6e-7 were seen after a thousand iterations in float32


def at_bound(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    lipschitz: float,
    seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
    initialisation: str = "xavier",
) -> Problem:
    """||W_i||_op = 1, and outputs in such a unit that weights of gain 1 have the bound ``lipschitz``; inputs stay.

    y = y / s,  s = (1 - slack)^L lipschitz / gain of all that is no weight

    For cross-entropy the logits are scaled by s instead. The slack is what weights in float32 may exceed a bound of 1
    by, so that no iterate of any precision exceeds ``lipschitz``. The norm of a kernel is that of the matrix
    (channels_out, channels_in size^2), for which the gain counts the patches.

    Parameters
    ----------
    lipschitz : float
        Largest change of the output in physical units, or of the logits, per change of an input as it is given.
    train, test, network, seed, loss, classes, initialisation
        As for :func:`normbench.problems.scaling.spectral_initialisation`.

    Raises
    ------
    InvalidArgumentError
        If the bound is not positive and finite, or a layer has no gain.
    """
    lipschitz = positive("lipschitz", lipschitz)
    network = as_network(network)
    drawn = draw(network.weight_shapes, seed=seed, initialisation=initialisation)
    weights = tuple(w / np.linalg.norm(w.reshape(len(w), -1), 2) for w in drawn)
    unit = (1.0 - ROUNDING_SLACK) ** len(weights) * lipschitz / network.gain
    if loss is Loss.CROSS_ENTROPY:
        network = Network(network.input_shape, (*network.layers, Scale(unit)))
        unit = 1.0
    return scaled_problem(train, test, network, weights, 1.0 / unit, 1.0, 1.0, loss, classes)


def scaled_outputs(problem: Problem, factor: float) -> Problem:
    """The problem with outputs whose unit is ``factor`` times as large, so that the bound of given weights is, too.

    Regression targets, which are in that unit, become smaller; the logits of a cross-entropy become larger.

    Parameters
    ----------
    problem : Problem
    factor : float

    Raises
    ------
    InvalidArgumentError
        If the factor is not positive and finite.
    """
    factor = positive("output_scale", factor)
    if problem.loss is Loss.CROSS_ENTROPY:
        inputs, layers = problem.network.input_shape, problem.network.layers
        return replace(problem, network=Network(inputs, (*layers, Scale(factor))))
    return replace(
        problem,
        y_train=problem.y_train / factor,
        y_test=problem.y_test / factor,
        output_scale=problem.output_scale * factor,
    )
