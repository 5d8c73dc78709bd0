"""What a run at a Lipschitz bound starts from: weights no larger than the targets need, on the optimiser's own sets.

And whether its precision holds the numbers of a run whose outputs have a unit of the user's.
"""

from dataclasses import replace

import numpy as np

from normbench.errors import InvalidArgumentError, argument
from normbench.networks import Loss
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem
from normbench.reference.start import within_targets
from normbench.specs import OptimiserSpec, parametrisations


def bounded_start(problem: Problem, spec: OptimiserSpec, parametrisation: str | None) -> Problem:
    """The problem with the weights that a run of the optimiser at its bound starts from.

    At a bound far above what the data need, the weights are made smaller, see
    :func:`normbench.reference.start.within_targets`; those that keep the norms that they start with get them there.

    Parameters
    ----------
    problem : Problem
        In units in which weights of gain 1 have the bound.
    spec : OptimiserSpec
    parametrisation : str or None
        None for the first of the optimiser's own that keeps a bound.

    Raises
    ------
    InvalidArgumentError
        If the optimiser does not run through the parametrisation, or none of its own keeps a bound.
    """
    declared = parametrisations.resolve(spec, parametrisation, problem.network, bounded=True)
    start = within_targets(problem)
    if not parametrisations.is_own(spec, declared):
        return start
    own = initial_variables(declared, parametrisations.geometry(spec, declared), start.weights)
    shapes = start.network.weight_shapes
    return replace(start, weights=tuple(w.reshape(shape) for w, shape in zip(own, shapes, strict=True)))


def check_range(problem: Problem, dtype: str, **unit: float) -> None:
    """Raise where the unit of the outputs leaves losses that the precision does not hold, with room to fall.

    They would be 0, and with them the errors of the run, or infinite before the first iteration.

    Parameters
    ----------
    problem : Problem
    dtype : str
    **unit : float
        Name and value of what has set the unit: a larger one makes targets smaller, and logits larger.

    Raises
    ------
    InvalidArgumentError
    """
    ((name, value),) = unit.items()
    square = problem.loss is Loss.SQUARE
    what = "targets" if square else "gain behind the weights"
    size = float(np.square(problem.y_train).sum(axis=1).mean()) if square else problem.network.gain**2
    holds = np.finfo(dtype)
    least, most = float(holds.tiny / holds.eps), float(holds.max * holds.eps)
    if size == 0.0 or least <= size <= most:  # targets of zero stay so
        return
    change = "smaller" if (size < least) is square else "larger"
    remedy = ", or dtype float64" if dtype != "float64" else ""
    raise InvalidArgumentError(
        f"{argument(name, value)} makes the squared {what} {size:.3g}, and {dtype} is for {least:.3g} to {most:.3g}. "
        f"Choose a {change} one{remedy}."
    )
