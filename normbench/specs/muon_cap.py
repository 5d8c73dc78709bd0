"""Declaration of Muon with a spectral cap: Muon's step, then singular values above the bound are set to it."""

from normbench.specs.base import Family, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.baselines import MUON_MOMENTUM
from normbench.specs.scion import ON_POLAR

MUON_CAP = OptimiserSpec(
    key="muon_cap",
    title="Muon, capped",
    paper="arXiv 2507.13338; Jordan et al., Muon, 2024",
    equations="m = momentum m + (1 - momentum) G; P = cap(P - learning_rate polar((1 - momentum) G + momentum m))",
    family=Family.PEER,
    geometries=(Geometry.STIEFEL,),
    parametrisation="ball",
    stable=20,
    hyperparameters=(
        Hyperparameter("learning_rate", 1e-3, 0.0, 1e3, "default of torch.optim.Muon", (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
        MUON_MOMENTUM,
    ),
    state=("averaged gradients m_i, zero at the start",),
    invariants=("||P_i||_op <= 1", "the step is invariant to a rescaling of the gradient"),
    notes=(
        "cap(P) sets singular values above 1 to 1, exactly and by the singular value decomposition: the spectral hard "
        "cap of the paper, whose polynomial soft cap lets 1.03 pass after a step of norm 0.5.",
        "What the cap sets is 1 - 16 eps: in float32 the decomposition itself is off by as much.",
        ON_POLAR,
        "The rate is not scaled by the shape of the matrix, and there is no weight decay: the cap takes its place.",
        "A variable whose direction is zero stays where it is.",
    ),
)
