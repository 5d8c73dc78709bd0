"""What normbench is told of Signum: both implementations under one name, and what is searched."""

from normbench.specs import SWITCH, Hyperparameter, PlugIn

SIGNUM = PlugIn(
    title="Signum",
    paper="arXiv 1802.04434",
    equations="Algorithm 1",
    factories={
        "torch": "normbench_example.torch_signum:Signum",
        "jax": "normbench_example.optax_signum:signum",
    },
    hyperparameters=(
        Hyperparameter("learning_rate", 0.01, 0.0, 1e3, "change of every weight", (1e-4, 1e-3, 1e-2)),
        Hyperparameter("momentum", 0.9, 0.0, 1.0 - 1e-9, "decay of the average", (0.8, 0.9), near_one=True),
        Hyperparameter("nesterov", SWITCH[0], meaning="look ahead", choices=SWITCH),
    ),
)
