"""Declaration of online geodesic L-BFGS: our own quasi-Newton method for mini-batches at a Lipschitz bound."""

from normbench.specs.base import Constant, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.hyperparameter import BELOW_ONE

ONLINE_LBFGS = OptimiserSpec(
    key="online_lbfgs",
    title="Online geodesic L-BFGS",
    paper="this project",
    equations="online L-BFGS (Schraudolph, Yu and Guenter, AISTATS 2007, Algorithm 3) on Stiefel manifolds; "
    "directions of geodesic L-BFGS",
    geometries=(Geometry.STIEFEL,),
    parametrisation="sandwich",
    stable=10,
    hyperparameters=(
        Hyperparameter("history", 30, 1, 1000, "pairs of steps and gradient differences that are kept"),
        Hyperparameter("interval", 5, 1, 1000, "steps from one pair to the next"),
        Hyperparameter("momentum", 0.7, 0.0, BELOW_ONE, "decay of the average of the gradients"),
        Hyperparameter("decay", 0.9, 0.0, 1.0, "of the averages of G G^T and G^T G that make the metric"),
        Hyperparameter("damping", 1e-2, 1e-12, 1.0, "added to the averages, in units of their mean eigenvalue"),
        Hyperparameter("power", 8, 0, 100, "the average of the iterates gives the k-th about the weight k^power"),
    ),
    constants=(Constant("radius", None, "largest norm of every matrix; None for the one that it has at the start"),),
    state=(
        "lift Q_i = [P_i; V_i] of every variable",
        "averaged tangent gradients m_i",
        "pairs s, y in the tangent spaces of their time; of a wide lift the step as it is",
        "averages L, R of G G^T and G^T G; of a wide side the diagonal",
        "number of steps k",
    ),
    invariants=(
        "Q_i^T Q_i = I, so that ||P_i||_op <= 1 at every iterate, and the average of the iterates has it too",
        "nothing depends on how long the run will be",
        "the step is invariant to a rescaling of the loss",
    ),
    notes=(
        "A pair is of one batch: y is the difference of its gradients at both ends of the step that it made, so that a "
        "step that makes one takes two gradients: the first, and every interval-th. A pair with <s, y> <= 1e-6 ||s|| "
        "||y|| is left out.",
        "m <- Proj(momentum m + (1 - momentum) G); the first gradient is all of it. D = -Proj(H m), H of the pairs of "
        "earlier batches and the metric, as geodesic L-BFGS has them.",
        "The step is 1 and turns no column by more than pi/12; without pairs it turns the one that turns most by 1/20. "
        "All steps are sqrt(400 / (k + 400)) times that, k = 0, 1, ...: where batches are small, full steps wander.",
        "Nothing is searched: batches disagree on where the loss falls.",
        "What is evaluated and reported is the average A <- A + rho (P - A), rho = (power + 1) / (k + power + 1).",
        "A variable that never had a gradient rests.",
    ),
)
