"""Declaration of automatic gradient descent (arXiv 2304.05187, Algorithm 1 and appendix B)."""

from normbench.specs.base import OTHERS, Normalisation, OptimiserSpec

_PRESCRIBED = "steps as its paper derives it for plain weights that start with the norms of prescription 1"

AGD = OptimiserSpec(
    key="agd",
    title="AGD",
    paper="arXiv 2304.05187",
    equations="Algorithm 1, Theorem 2",
    normalisation=Normalisation.PRESCRIPTION,
    unsuited=((OTHERS, _PRESCRIBED),),
    invariants=(
        "||dW_k||_F = (eta / L) sqrt(d_k / d_{k-1}) for every layer with a gradient",
        "eta minimises -eta G + (exp(eta) - 1)^2 / 2",
        "min over t <= T of G_t^2 is at most 11 / T (Lemma 8, under its assumptions)",
    ),
    notes=(
        "Square loss ||f - y||^2 / (2 d_L), inputs of norm sqrt(d_0), targets of norm at most sqrt(d_L).",
        "Regression targets keep their relative sizes: the largest training target has norm sqrt(d_L).",
        "A layer with a zero gradient stays where it is; L still counts it.",
        "No gain factor: the 1.0 of appendix B is not a hyperparameter here.",
    ),
)
