"""Declarations of the baselines that a user would try first: Adam and SGD, from torch.optim and optax."""

from normbench.specs.base import Family, Hyperparameter, OptimiserSpec
from normbench.specs.hyperparameter import BELOW_ONE

MOMENTA = (0.8, 0.9, 0.95, 0.98)  # 5 to 50 gradients are averaged
EPSILONS = (1e-8, 1e-6, 1e-4, 1e-2)  # the one thing in Adam that knows the scale of the gradient
MUON_MOMENTUM = Hyperparameter(
    "momentum", 0.95, 0.0, BELOW_ONE, "of Nesterov's kind; default of torch.optim.Muon", MOMENTA, near_one=True
)
ADAM_RATE = Hyperparameter(
    "learning_rate", 1e-3, 0.0, 1e3, "alpha; default of torch.optim.Adam", (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
)
ADAM_MOMENTS = (
    Hyperparameter("beta1", 0.9, 0.0, BELOW_ONE, "decay of the first moment"),
    Hyperparameter("beta2", 0.999, 0.0, BELOW_ONE, "decay of the second moment"),
    Hyperparameter("epsilon", 1e-8, 0.0, 1.0, "added outside the square root, after bias correction", EPSILONS),
)
ADAM_STATE = ("first moment m", "second moment v", "step count")
UNCONSTRAINED = "The weights are free: the step ignores the spheres, and the Lipschitz bound may grow."

ADAM = OptimiserSpec(
    key="adam",
    title="Adam",
    paper="arXiv 1412.6980",
    equations="Algorithm 1; torch.optim.Adam, optax.adam",
    family=Family.BASELINE,
    hyperparameters=(ADAM_RATE, *ADAM_MOMENTS),
    state=ADAM_STATE,
    notes=(UNCONSTRAINED,),
)


def _sgd(key: str, title: str, momentum: float, momenta: tuple[float, ...] = ()) -> OptimiserSpec:
    return OptimiserSpec(
        key=key,
        title=title,
        paper="torch.optim.SGD, optax.sgd",
        equations="b = momentum b + g; W = W - learning_rate b",
        family=Family.BASELINE,
        hyperparameters=(
            Hyperparameter("learning_rate", 1e-3, 0.0, 1e9, "default of torch.optim.SGD", (1.0, 1e1, 1e2, 1e3, 1e4)),
            Hyperparameter(
                "momentum",
                momentum,
                0.0,
                BELOW_ONE,
                "heavy-ball momentum, no dampening, no Nesterov step",
                momenta,
                near_one=True,
            ),
        ),
        state=("momentum buffer b",),
        notes=(UNCONSTRAINED,),
    )


SGD = _sgd("sgd", "SGD", 0.0)
SGD_MOMENTUM = _sgd("sgd_momentum", "SGD, momentum 0.9", 0.9, MOMENTA)
