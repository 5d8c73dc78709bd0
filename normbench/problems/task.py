"""What a task is: data, a network, a loss, and what is usual for its runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normbench.data import SOURCES, SourceInfo, kept_tables, load
from normbench.data.augmentation import NONE
from normbench.data.dataset import Dataset
from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, Network
from normbench.problems.families import FAMILIES


@dataclass(frozen=True)
class Task:
    """One entry of the benchmark: data, a bias-free network and a loss.

    Attributes
    ----------
    key : str
    source : str
        Key of the data source, see :data:`normbench.data.SOURCES`.
    hidden : tuple of int
        Hidden widths of the default network; input and output widths come from the data.
    target_rms : float or None
        Training RMS, in the unit of the data, that an automatic method is expected to beat; None where none was seen.
    title : str
    loss : Loss
    family : str
        Key of :data:`normbench.problems.families.FAMILIES`.
    split : str
        What its runs are split by, unless the user says otherwise.
    batch_size : int or None
        Samples that an iteration sees, unless the user says otherwise; None for all.
    iterations : int or None
        Of its runs, unless the user says otherwise; None for the optimiser's own number.
    training : int or None
        How many samples of the published training set it takes, the first ones; None for all.
    augmentation : str
        What happens to the images of its mini-batches, unless the user says otherwise.
    """

    key: str
    source: str
    hidden: tuple[int, ...]
    target_rms: float | None
    title: str
    loss: Loss = Loss.SQUARE
    family: str = "perceptron"
    split: str = "random"
    batch_size: int | None = None
    iterations: int | None = None
    training: int | None = None
    augmentation: str = NONE

    def dataset(self, data_dir: Path | None = None) -> Dataset:
        """Samples of the task in physical units; errors as :func:`normbench.data.load`."""
        return self.part(load(self.source, data_dir=data_dir))

    def part(self, every: Dataset) -> Dataset:
        """What the task takes of its source's samples: the first of the training set, and all that are for testing."""
        if self.training is None or every.official is None:
            return every
        return every.take(every.official | (np.cumsum(~every.official) <= self.training))

    def layers(self, dataset: Dataset, hidden: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Widths of the network, input first, with its own hidden widths or others."""
        inputs = FAMILIES[self.family].inputs(dataset.inputs.shape[1:]) or outputs_of(dataset)
        return (inputs, *(self.hidden if hidden is None else hidden), outputs_of(dataset))

    def network(self, dataset: Dataset, layers: tuple[int, ...], activation: str = "relu") -> Network:
        """The network of these widths for the data.

        Raises
        ------
        InvalidArgumentError
            If the outer widths do not match the data, or widths and activation do not make a network.
        """
        found = FAMILIES[self.family].network(layers, dataset.inputs.shape[1:], activation)
        expected = self.layers(dataset, ())
        if (layers[0], layers[-1]) != expected:
            raise InvalidArgumentError(
                f"layers {layers} do not fit data set {dataset.name!r}: the first width must be {expected[0]} "
                f"and the last {expected[1]}."
            )
        return found

    def declared_network(self, layers: tuple[int, ...], activation: str = "relu") -> Network:
        """The network of these widths for samples as the source declares them; no data are read.

        Raises
        ------
        InvalidArgumentError
            If widths and activation do not make a network.
        """
        return FAMILIES[self.family].network(layers, self.source_info.shape, activation)

    @property
    def source_info(self) -> SourceInfo:
        """What is known of the samples without reading them."""
        own = kept_tables.find(self.source)
        return SOURCES[self.source].info if own is None else own.info


def outputs_of(dataset: Dataset) -> int:
    """Width of the last layer: of classes, or of what the samples have."""
    return len(dataset.classes) or dataset.outputs.shape[-1]
