"""Declaration of the polar average: our own mini-batch rule at a Lipschitz bound."""

from normbench.specs.base import Constant, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.hyperparameter import BELOW_ONE

POLAR_AVERAGE = OptimiserSpec(
    key="polar_average",
    title="Polar average",
    paper="this project",
    equations="Frank-Wolfe on spectral balls with momentum; P = (1 - eta) P - eta polar(m), eta = 2 / (k + 10)",
    geometries=(Geometry.STIEFEL,),
    parametrisation="ball",
    stable=20,
    hyperparameters=(
        Hyperparameter("momentum", 0.9, 0.0, BELOW_ONE, "decay of the average of the gradients"),
        Hyperparameter("offset", 10, 2, 10_000, "c of eta = 2 / (k + c), k = 0, 1, ..."),
        Hyperparameter("power", 8, 0, 100, "the average of the iterates gives the k-th about the weight k^power"),
    ),
    constants=(Constant("radius", None, "largest norm of every matrix; None for the one that it has at the start"),),
    state=("variables P_i", "averaged gradients m_i", "number of steps k"),
    invariants=(
        "||P_i||_op <= 1 and the average has it too: both are mixtures of points of the ball",
        "nothing depends on how long the run will be",
        "the step is invariant to a rescaling of the gradient",
    ),
    notes=(
        "polar(m) = U V^T of the thin decomposition: -polar(m) is a point of the ball where <m, P> is least. Singular "
        "values of at most 10 eps rows times the largest are rounding of a zero and are left out: their vectors are "
        "anybody's.",
        "What is evaluated and reported is the average A <- A + rho (P - A), rho = (power + 1) / (k + power + 1); the "
        "gradient is taken at P, in a pass of its own.",
        "A variable whose m is zero stays where it is.",
    ),
)
