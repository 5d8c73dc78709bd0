"""Declarations of Hyperball: Muon and Adam with weights and steps of fixed Frobenius norms."""

from normbench.specs.base import Family, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.baselines import ADAM_MOMENTS, ADAM_STATE, MUON_MOMENTUM
from normbench.specs.scion import ON_POLAR

_STEP = "R_i = ||W_i||_F at the start; W = R normalised(W - learning_rate R normalised(u))"


def _hyperball(
    key: str,
    title: str,
    direction: str,
    hyperparameters: tuple[Hyperparameter, ...],
    state: tuple[str, ...],
    note: str,
    stable: int | None = None,
) -> OptimiserSpec:
    return OptimiserSpec(
        key=key,
        title=title,
        paper="arXiv 2606.16899",
        equations=f"{_STEP}, {direction}",
        family=Family.PEER,
        geometries=(Geometry.SPHERE,),
        parametrisation="sphere",
        stable=stable,
        hyperparameters=(
            Hyperparameter(
                "learning_rate", 1e-3, 0.0, 1e3, "default of the authors' classes", (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
            ),
            *hyperparameters,
        ),
        state=("radii R_i", *state),
        invariants=("||W_i||_F = R_i at every iterate",),
        notes=(
            note,
            "Norms are of whole matrices, as the paper has it; a kernel counts as (channels_out, channels_in size^2).",
            "The step is not projected onto the tangent space first. A layer whose u is zero, or whose R is, rests.",
        ),
    )


MUONH = _hyperball(
    "muonh",
    "Muon on Hyperball",
    "u = polar((1 - momentum) G + momentum m)",
    (MUON_MOMENTUM,),
    ("averaged gradients m_i, zero at the start",),
    ON_POLAR,
    stable=20,  # polar factors magnify what rounding does to vanishing singular values
)
ADAMH = _hyperball(
    "adamh",
    "Adam on Hyperball",
    "u = m_hat / (sqrt(v_hat) + epsilon)",
    ADAM_MOMENTS,
    ADAM_STATE,
    "The length of Adam's step is lost in the normalisation: all that the moments decide is its direction.",
)
