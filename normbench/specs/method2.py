"""Declarations of method 2 and its closed-form variant: majorisation-minimisation (arXiv 2312.10672, 3.2.2)."""

from normbench.specs.base import Constant, Geometry, OptimiserSpec

_RESTING = (
    "Layers whose projected gradient is at most 10 eps ||G_i||_F rest, as in method 1, and add nothing to alpha or P1."
)
_NO_SPHERE = "A layer of zeros has no sphere and no tangent space. It rests, and the others move as without it."
_SPHERE = "After the exponential map every moving layer is scaled back to radius mu_i: this removes rounding only."

METHOD2 = OptimiserSpec(
    key="method2",
    title="Method 2",
    paper="arXiv 2312.10672",
    equations="eq. 22-23, Algorithm 3",
    iterations=3000,
    bounded=True,
    geometries=(Geometry.SPHERE,),
    parametrisation="sphere",
    constants=(
        Constant("mean_square_input", 1.0, "mean of ||x||^2 over the data; 1 for inputs scaled to unit norm"),
        Constant(
            "gain", None, "product of the norms of all parts that are no weights; None: those of kernels at stride 1"
        ),
        Constant("curvature", 1.0, "c in loss(f + df) <= loss(f) + <gradient, df> + c ||df||^2 / 2"),
    ),
    state=("radii mu_i = ||W_i||_F at the start", "Q = curvature gain^2 mean ||x||^2 of the training inputs"),
    invariants=("||W_i||_F = mu_i", "the majorant's derivative vanishes at tau", "0 <= tau <= pi"),
    notes=(
        "P1 uses exact operator norms, not a power iteration.",
        "tau is the first zero of the majorant's derivative on [0, pi], to 1e-8 rad or better; the backends reach "
        "it by Newton steps from the last tau, which lies far below any second zero.",
        _RESTING,
        _NO_SPHERE,
        _SPHERE,
    ),
)

METHOD2_EXP = OptimiserSpec(
    key="method2_exp",
    title="Method 2, exponential",
    paper="arXiv 2312.10672 (the authors' code)",
    equations="tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L with P = prod mu_i",
    bounded=True,
    geometries=(Geometry.SPHERE,),
    parametrisation="sphere",
    constants=METHOD2.constants,
    state=METHOD2.state,
    invariants=("||W_i||_F = mu_i", "tau minimises -beta t + Q P^2 (exp(L t) - 1)^2 / 2"),
    notes=(
        "L counts all layers, resting ones included.",
        "No iteration count is published; the default is the budget of method 1.",
        _RESTING,
        _NO_SPHERE,
        _SPHERE,
    ),
)
