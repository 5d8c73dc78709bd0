"""Declaration of constrained Scion: conditional gradients on spectral balls, with a learning rate."""

from normbench.specs.base import Family, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.baselines import MOMENTA
from normbench.specs.hyperparameter import BELOW_ONE

LEAST = 1e-6  # of the largest singular value: what is smaller is no direction, to the peers that take polar factors
ON_POLAR = (
    "polar is exact, by the singular value decomposition, without the singular values of at most 1e-6 of the largest: "
    "five Newton-Schulz steps lift these by less than 500, too. They give values of up to 1.2, for which a radius is "
    "no bound."
)

SCION = OptimiserSpec(
    key="scion",
    title="Scion, constrained",
    paper="arXiv 2502.07529",
    equations="SCG: m = momentum m + (1 - momentum) G; P = (1 - learning_rate) P - learning_rate polar(m)",
    family=Family.PEER,
    geometries=(Geometry.STIEFEL,),
    parametrisation="ball",
    stable=20,
    hyperparameters=(
        Hyperparameter(
            "learning_rate", 1e-3, 0.0, 1.0, "gamma; default of the authors' class", (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
        ),
        Hyperparameter(
            "momentum", 0.9, 0.0, BELOW_ONE, "1 - alpha of the paper, whose alpha is 0.1", MOMENTA, near_one=True
        ),
    ),
    state=("averaged gradients m_i, zero at the start",),
    invariants=(
        "||P_i||_op <= 1: a step ends between two points of the ball",
        "the step is invariant to a rescaling of the gradient",
    ),
    notes=(
        ON_POLAR,
        "Every radius is 1, which is what a bound of the network leaves; the authors' factors sqrt(d_k / d_{k-1}) are "
        "a matter of the norm in which inputs and outputs are measured. The last layer has the spectral norm, too.",
        "The authors start from orthogonal weights; here everyone starts from the same.",
        "A variable whose m is zero stays where it is.",
    ),
)
