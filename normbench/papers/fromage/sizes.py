"""How large figures 1 and 3 of arXiv 2002.03432 are made here, by task: on the regression and on the paper's images.

On MNIST the batches and the learning rates of Fromage and Adam are those of the authors' notebooks
(github.com/jxbz/fromage, classify-mnist); networks are narrower than their 784 and trainings shorter than their 10 and
100 epochs, so that two cores can do them. Deeper ones stayed at chance for so long where they were tried: depth 16 at
width 128 for five epochs (Fromage at 0.01, Adam at 0.001), depth 8 at width 32 for two (Fromage at all three rates).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from normbench.papers.runs import DEFAULT, QUADROTOR_TASKS, TINY
from normbench.specs import Value

MNIST = "mnist"
TASKS = (*QUADROTOR_TASKS, MNIST)


@dataclass(frozen=True)
class Figure1:
    """Trainings by Fromage that are perturbed at checkpoints.

    Attributes
    ----------
    depths : tuple of int
    width, iterations : int
    learning_rate : float
    checkpoints : tuple of int
        Iterations, ten as in the paper.
    strengths : tuple of float
        Relative sizes of the perturbations.
    batch_size : int or None
        None: the whole training set. What is looked at is the whole set in any case.
    otherwise : str
        What the paper did in another way.
    """

    depths: tuple[int, ...] = (2, 16)
    width: int = 64
    iterations: int = 300
    learning_rate: float = 0.003
    checkpoints: tuple[int, ...] = (0, 5, 10, 20, 40, 80, 120, 180, 240, 300)
    strengths: tuple[float, ...] = (1e-3, 2e-3, 4e-3, 7e-3, 0.01, 0.02, 0.04, 0.07, 0.1, 0.2, 0.4, 0.7, 1.0)
    batch_size: int | None = None
    otherwise: str = "MNIST, classification loss"


@dataclass(frozen=True)
class Figure3:
    """Trainings over depth.

    Attributes
    ----------
    settings : tuple
        Optimiser, learning rates, other hyperparameters.
    depths : tuple of int
    width, iterations : int
    batch_size : int or None
        None: the whole training set.
    otherwise : str
        What the paper did in another way.
    """

    settings: tuple[tuple[str, tuple[float, ...], Mapping[str, Value]], ...] = (
        ("fromage", (0.03, 0.01, 0.003), DEFAULT),
        ("adam", (1e-2, 3e-3, 1e-3), TINY),
        ("adam", (1e-2, 3e-3, 1e-3), DEFAULT),
        ("sgd", (1e1, 1e3, 1e6), DEFAULT),
    )
    depths: tuple[int, ...] = (2, 4, 8, 16, 32)
    width: int = 25
    iterations: int = 150
    batch_size: int | None = None
    otherwise: str = "MNIST, accuracy after 100 epochs, depths to 50"


_EPOCH = 60_000 // 250

FIGURE1 = dict.fromkeys(QUADROTOR_TASKS, Figure1()) | {
    MNIST: Figure1(
        iterations=2 * _EPOCH,
        learning_rate=0.01,
        checkpoints=(0, 12, 24, 48, 96, 144, 192, _EPOCH, 360, 2 * _EPOCH),
        strengths=(1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0),
        batch_size=250,
        otherwise="cross-entropy, width 784 with biases, learning rate falling over 10 epochs",
    )
}
FIGURE3 = dict.fromkeys(QUADROTOR_TASKS, Figure3()) | {
    MNIST: Figure3(
        settings=(
            ("fromage", (0.1, 0.01, 0.001), DEFAULT),
            ("adam", (1e-2, 1e-3, 1e-4), TINY),
            ("adam", (1e-2, 1e-3, 1e-4), DEFAULT),
            ("sgd", (1e1, 1e3, 1e6), DEFAULT),
        ),
        depths=(2, 4, 8),
        width=128,
        iterations=5 * _EPOCH,
        batch_size=250,
        otherwise="cross-entropy, width 784 with biases, 100 epochs, depths to 50",
    )
}
