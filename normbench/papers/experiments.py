"""The published experiments as lists of runs, at sizes that two cores can do.

Table 1 and figure 2 of arXiv 2312.10672; figures 1 to 3 of arXiv 2002.03432 (Fromage); figures 5 to 7 of
arXiv 2304.05187 (AGD). The latter two papers classify images; here the task is a regression, and smaller.
"""

from collections.abc import Sequence

from normbench.published import EXPERIMENT1, INPUTS, OUTPUTS, PAPER_LAYERS
from normbench.running.request import Asked, RunRequest
from normbench.specs import Value

WIDTHS = (15, 20, 25, 30, 35)
DEPTHS = (4, 6, 8, 10, 12)
_EXPERIMENT2_ITERATIONS = 200

# Under Algorithm 1 of arXiv 2312.10672 the gradient shrinks with every layer, to about 1e-42 at depth 32: the deep
# networks below are trained in float64, and Adam is given an epsilon that does not swamp its moments.
TINY_EPSILON = 1e-300

FROMAGE1_DEPTHS, FROMAGE1_WIDTH, FROMAGE1_ITERATIONS, FROMAGE1_LEARNING_RATE = (2, 16), 64, 300, 0.003
FROMAGE1_CHECKPOINTS = (0, 5, 10, 20, 40, 80, 120, 180, 240, 300)  # ten, as in the paper
FROMAGE1_STRENGTHS = (1e-3, 2e-3, 4e-3, 7e-3, 0.01, 0.02, 0.04, 0.07, 0.1, 0.2, 0.4, 0.7, 1.0)

FROMAGE2_LEARNING_RATE, FROMAGE2_ITERATIONS = 0.2, 2400

FROMAGE3_DEPTHS, FROMAGE3_WIDTH, FROMAGE3_ITERATIONS = (2, 4, 8, 16, 32), 25, 150
_DEFAULT: dict[str, Value] = {}
_TINY: dict[str, Value] = {"epsilon": TINY_EPSILON}
FROMAGE3_SETTINGS = (  # optimiser, learning rates, other hyperparameters
    ("fromage", (0.03, 0.01, 0.003), _DEFAULT),
    ("adam", (1e-2, 3e-3, 1e-3), _TINY),
    ("adam", (1e-2, 3e-3, 1e-3), _DEFAULT),
    ("sgd", (1e1, 1e3, 1e6), _DEFAULT),
)

AGD5_WIDTH, AGD5_DEPTH, AGD5_ITERATIONS = 32, 8, 600
AGD5_GRIDS = {"adam": (1e-4, 1e-3, 1e-2, 1e-1, 1.0), "sgd": (1e4, 1e5, 1e6, 1e7, 1e8)}
AGD6_DEPTHS, AGD6_WIDTHS, AGD6_ITERATIONS = (2, 4, 8, 16), (16, 32, 64), 600
AGD7_BATCHES, AGD7_EPOCHS = (32, 256, 4096, None), 30  # None: the whole training set


def perceptron_layers(*, width: int, depth: int, inputs: int = INPUTS, outputs: int = OUTPUTS) -> tuple[int, ...]:
    """Widths of a perceptron with ``depth`` weight matrices: depth 4 and width 25 is 12-25-25-25-3."""
    return (inputs, *[width] * (depth - 1), outputs)


def _run(
    task: str,
    backend: str,
    seed: int,
    optimiser: str,
    layers: tuple[int, ...],
    iterations: int,
    hyperparameters: dict[str, Value] = _DEFAULT,
    dtype: str = "float32",
) -> RunRequest:
    return Asked(
        task=task,
        layers=layers,
        optimiser=optimiser,
        backend=backend,
        seed=seed,
        iterations=iterations,
        hyperparameters=hyperparameters,
        dtype="float64" if backend == "reference" else dtype,
    ).resolved()


def experiment1(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Table 1: methods 1 and 2 with 200 and 3000 iterations on 12-25-30-15-3."""
    return [
        _run(task, backend, seed, optimiser, PAPER_LAYERS, iterations)
        for optimiser, iterations in EXPERIMENT1.items()
        for seed in seeds
    ]


def experiment2(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 2: method 1 with 200 iterations over widths 15:5:35 and depths 4:2:12."""
    return [
        _run(task, backend, seed, "method1", perceptron_layers(width=width, depth=depth), _EXPERIMENT2_ITERATIONS)
        for depth in DEPTHS
        for width in WIDTHS
        for seed in seeds
    ]


def fromage_figure1(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 1 of arXiv 2002.03432: Fromage at depth 2 and 16, to be perturbed at checkpoints."""
    return [
        _run(
            task,
            backend,
            seed,
            "fromage",
            perceptron_layers(width=FROMAGE1_WIDTH, depth=depth),
            FROMAGE1_ITERATIONS,
            {"learning_rate": FROMAGE1_LEARNING_RATE},
            "float64",
        )
        for depth in FROMAGE1_DEPTHS
        for seed in seeds
    ]


def fromage_figure2(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 2 of arXiv 2002.03432: LARS and Fromage at a learning rate at which LARS overflows in time."""
    values: dict[str, Value] = {"learning_rate": FROMAGE2_LEARNING_RATE}
    return [
        _run(task, backend, seed, optimiser, PAPER_LAYERS, FROMAGE2_ITERATIONS, values)
        for optimiser in ("lars", "fromage")
        for seed in seeds
    ]


def fromage_figure3(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 3 of arXiv 2002.03432: Fromage, Adam (with two epsilons) and SGD over depth, at three learning rates."""
    return [
        _run(
            task,
            backend,
            seed,
            optimiser,
            perceptron_layers(width=FROMAGE3_WIDTH, depth=depth),
            FROMAGE3_ITERATIONS,
            {"learning_rate": learning_rate, **others},
            "float64",
        )
        for depth in FROMAGE3_DEPTHS
        for optimiser, learning_rates, others in FROMAGE3_SETTINGS
        for learning_rate in learning_rates
        for seed in seeds
    ]


def agd_figure5(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 5 of arXiv 2304.05187: AGD, Adam and SGD on eight layers; the latter two to be tuned on AGD5_GRIDS."""
    layers = perceptron_layers(width=AGD5_WIDTH, depth=AGD5_DEPTH)
    return [
        _run(task, backend, seed, optimiser, layers, AGD5_ITERATIONS, others, "float64")
        for optimiser, others in (("agd", _DEFAULT), ("adam", _TINY), ("sgd", _DEFAULT))
        for seed in seeds
    ]


def agd_figure6(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 6 of arXiv 2304.05187: AGD over depth and width."""
    return [
        _run(task, backend, seed, "agd", perceptron_layers(width=width, depth=depth), AGD6_ITERATIONS)
        for depth in AGD6_DEPTHS
        for width in AGD6_WIDTHS
        for seed in seeds
    ]


def agd_figure7(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 7 of arXiv 2304.05187: AGD on a network of four layers, whose batches vary (see ``minibatch``)."""
    return [_run(task, backend, seed, "agd", PAPER_LAYERS, 1) for seed in seeds]
