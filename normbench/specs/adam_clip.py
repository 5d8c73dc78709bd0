"""Declaration of Adam with spectral clipping: after each step a matrix beyond the bound is scaled back to it."""

from normbench.specs.base import Family, Geometry, OptimiserSpec
from normbench.specs.baselines import ADAM_MOMENTS, ADAM_RATE, ADAM_STATE

ADAM_CLIP = OptimiserSpec(
    key="adam_clip",
    title="Adam with spectral clipping",
    paper="arXiv 1811.08027 (Neural-Lander); arXiv 1412.6980",
    equations="P = P - learning_rate m_hat / (sqrt(v_hat) + epsilon); P = P / max(1, ||P||_op)",
    family=Family.PEER,
    geometries=(Geometry.STIEFEL,),
    parametrisation="ball",
    hyperparameters=(ADAM_RATE, *ADAM_MOMENTS),
    state=ADAM_STATE,
    invariants=("||P_i||_op <= 1",),
    notes=(
        "A matrix whose largest singular value is above 1 is divided by it, small singular values and all; one below "
        "stays as it is. It is that of a full decomposition, not of a power iteration.",
        "Nothing is differentiated through the norm, unlike adam through spectral, and a matrix may be smaller than "
        "its bound, as in the authors' code; the moments do not know of the scaling.",
        "What the norm is scaled to is 1 - 16 eps: in float32 the decomposition itself is off by as much.",
        "A variable whose direction is zero stays where it is.",
    ),
)
