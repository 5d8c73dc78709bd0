"""What is learned: a task is data, a network, a loss, a normalisation and the targets to reach."""

from dataclasses import dataclass
from pathlib import Path

from normbench.data import load
from normbench.data.dataset import Dataset
from normbench.data.splits import split_indices
from normbench.errors import InvalidArgumentError
from normbench.normalisation import Problem, check_layers, dimensional_scaling, spectral_initialisation
from normbench.specs.base import Normalisation, suggestion

_SCALINGS = {
    Normalisation.SPHERES: spectral_initialisation,
    Normalisation.PRESCRIPTION: dimensional_scaling,
}


@dataclass(frozen=True)
class Task:
    """One entry of the benchmark: a regression on one data source with a bias-free ReLU perceptron.

    Attributes
    ----------
    key : str
    source : str
        Key of the data source, see :data:`normbench.data.SOURCES`.
    hidden : tuple of int
        Hidden widths of the default network; input and output widths come from the data.
    target_rms : float
        Training RMS, in the unit of the data, that an automatic method is expected to beat.
    title : str
    """

    key: str
    source: str
    hidden: tuple[int, ...]
    target_rms: float
    title: str

    def dataset(self, data_dir: Path | None = None) -> Dataset:
        """Samples of the task in physical units; errors as :func:`normbench.data.load`."""
        return load(self.source, data_dir=data_dir)


PAPER_HIDDEN = (25, 30, 15)

TASKS: dict[str, Task] = {
    task.key: task
    for task in (
        Task("quadrotor-sim", "quadrotor-sim", PAPER_HIDDEN, 1.0, "Quadrotor in ground effect (simulated, calibrated)"),
        Task("quadrotor", "quadrotor", PAPER_HIDDEN, 1.0, "Quadrotor in ground effect (the papers' table)"),
        Task("neural-fly", "neural-fly", PAPER_HIDDEN, 1.3, "Neural-Fly, six flights without wind"),
    )
}


def get(key: str) -> Task:
    """The task of that key.

    Raises
    ------
    InvalidArgumentError
        If there is none; the message lists the known ones.
    """
    if key not in TASKS:
        raise InvalidArgumentError(f"no task {key!r}.{suggestion(key, TASKS)} The benchmark knows: {', '.join(TASKS)}.")
    return TASKS[key]


def network(dataset: Dataset, hidden: tuple[int, ...]) -> tuple[int, ...]:
    """Widths d_0, ..., d_L of a perceptron with those hidden layers for the data."""
    return (dataset.inputs.shape[1], *hidden, dataset.outputs.shape[1])


def problem(
    dataset: Dataset, layers: tuple[int, ...], normalisation: Normalisation, *, split: str, seed: int
) -> Problem:
    """Split, scale and initialise: everything a run starts from.

    Parameters
    ----------
    dataset : Dataset
    layers : tuple of int
        Widths, input first; the outer two must match the data.
    normalisation : Normalisation
    split : str
        "random" or "blocked".
    seed : int
        Seeds the split and the weights, independently.

    Raises
    ------
    InvalidArgumentError
        If the outer widths do not match the data.
    """
    expected = (dataset.inputs.shape[1], dataset.outputs.shape[1])
    check_layers(layers)
    if (layers[0], layers[-1]) != expected:
        raise InvalidArgumentError(
            f"layers {layers} do not fit data set {dataset.name!r}: the first width must be {expected[0]} "
            f"and the last {expected[1]}."
        )
    indices = split_indices(dataset, rule=split, seed=seed)
    train = dataset.inputs[indices.train], dataset.outputs[indices.train]
    test = dataset.inputs[indices.test], dataset.outputs[indices.test]
    return _SCALINGS[normalisation](train, test, layers, seed=seed)
