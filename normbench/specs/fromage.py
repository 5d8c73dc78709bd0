"""Declarations of Fromage and of LARS as its foil (arXiv 2002.03432, Algorithm 1 and figure 2)."""

from normbench.specs.base import Hyperparameter, OptimiserSpec

_LEARNING_RATE = Hyperparameter(
    "learning_rate",
    0.01,
    0.0,
    1.0,
    "eta, the relative size of each layer's update",
    grid=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
)
_SCALES = "moves every variable relative to its norm, and the scales psi of the sandwich start at zero"
_ZERO_GRADIENT = "A layer with a zero gradient stays where it is: eta W/||g|| g is 0/0 there."

FROMAGE = OptimiserSpec(
    key="fromage",
    title="Fromage",
    paper="arXiv 2002.03432",
    equations="Algorithm 1",
    unsuited=(("sandwich", _SCALES),),
    hyperparameters=(
        _LEARNING_RATE,
        Hyperparameter("p_bound", None, 1.0, 1e6, "bound on ||W_i||_F in multiples of its initial value; None = off"),
    ),
    state=("bound on each ||W_i||_F, if p_bound is given",),
    invariants=(
        "||sqrt(1 + eta^2) W' - W||_F = eta ||W||_F for every moving layer",
        "the update is invariant to a rescaling of the gradient",
        "||W_i||_F is constant where <g_i, W_i> = 0",
    ),
    notes=(
        _ZERO_GRADIENT + " The authors' code shrinks it by the prefactor instead.",
        "A layer of zero weights takes W - eta g, as in the authors' code, before the prefactor.",
        "p_bound rescales a layer after the prefactor, as in the authors' code.",
    ),
)

LARS = OptimiserSpec(
    key="lars",
    title="LARS",
    paper="arXiv 2002.03432 (figure 2); arXiv 1708.03888",
    equations="Algorithm 1 without the prefactor, eq. 5",
    unsuited=(("sandwich", _SCALES),),
    hyperparameters=(_LEARNING_RATE,),
    invariants=(
        "||W' - W||_F = eta ||W||_F for every moving layer",
        "||W_i||_F grows by sqrt(1 + eta^2) a step where <g_i, W_i> = 0",
    ),
    notes=(
        "The foil of the Fromage paper: no momentum, no weight decay, no trust coefficient.",
        _ZERO_GRADIENT,
        "A layer of zero weights takes W - eta g.",
    ),
)
