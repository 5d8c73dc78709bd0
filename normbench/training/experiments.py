"""The published experiments of arXiv 2312.10672 as lists of runs (Table 1 and Figure 2)."""

from collections.abc import Sequence

from normbench.tasks import PAPER_HIDDEN
from normbench.training.request import RunRequest, request

INPUTS, OUTPUTS = 12, 3
PAPER_LAYERS = (INPUTS, *PAPER_HIDDEN, OUTPUTS)
EXPERIMENT1 = {"method1": 200, "method2": 3000}
WIDTHS = (15, 20, 25, 30, 35)
DEPTHS = (4, 6, 8, 10, 12)
_EXPERIMENT2_ITERATIONS = 200


def perceptron_layers(*, width: int, depth: int, inputs: int = INPUTS, outputs: int = OUTPUTS) -> tuple[int, ...]:
    """Widths of a perceptron with ``depth`` weight matrices: depth 4 and width 25 is 12-25-25-25-3."""
    return (inputs, *[width] * (depth - 1), outputs)


def _run(task: str, backend: str, seed: int, optimiser: str, layers: tuple[int, ...], iterations: int) -> RunRequest:
    return request(
        task=task,
        layers=layers,
        optimiser=optimiser,
        backend=backend,
        seed=seed,
        iterations=iterations,
        dtype="float64" if backend == "reference" else "float32",
    )


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
