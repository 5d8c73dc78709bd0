"""What the runs of every published experiment have in common: the quadrotor's tasks and networks, and how one is asked.

Two of the papers classify images; here the task is a regression, and smaller, at sizes that two cores can do.
"""

from collections.abc import Mapping

from normbench.problems.tasks import PAPER_HIDDEN
from normbench.running.request import RunRequest, request
from normbench.specs import Value

QUADROTOR_TASKS = ("quadrotor-sim", "quadrotor")
INPUTS, OUTPUTS = 12, 3
PAPER_LAYERS = (INPUTS, *PAPER_HIDDEN, OUTPUTS)

# Under Algorithm 1 of arXiv 2312.10672 the gradient shrinks with every layer, to about 1e-42 at depth 32: deep networks
# are trained in float64, and Adam is given an epsilon that does not swamp its moments.
DEFAULT: Mapping[str, Value] = {}
TINY: Mapping[str, Value] = {"epsilon": 1e-300}


def perceptron_layers(*, width: int, depth: int, inputs: int = INPUTS, outputs: int = OUTPUTS) -> tuple[int, ...]:
    """Widths of a perceptron with ``depth`` weight matrices: depth 4 and width 25 is 12-25-25-25-3."""
    return (inputs, *[width] * (depth - 1), outputs)


def asked(
    task: str,
    backend: str,
    seed: int,
    optimiser: str,
    layers: tuple[int, ...],
    iterations: int,
    hyperparameters: Mapping[str, Value] = DEFAULT,
    *,
    dtype: str = "float32",
    batch_size: int | None = None,
) -> RunRequest:
    """One run; the reference knows float64 only and gets it whatever ``dtype`` says."""
    return request(
        task=task,
        layers=layers,
        optimiser=optimiser,
        backend=backend,
        seed=seed,
        iterations=iterations,
        hyperparameters=hyperparameters,
        dtype="float64" if backend == "reference" else dtype,
        batch_size=batch_size,
    )
