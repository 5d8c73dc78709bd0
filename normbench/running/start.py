"""What a run at a Lipschitz bound starts from: weights no larger than the targets need, on the optimiser's own sets."""

from dataclasses import replace

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
