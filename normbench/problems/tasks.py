"""What is learned: a task is data, a network, a loss, a normalisation and the targets to reach."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from normbench.data import SourceInfo, kept_tables
from normbench.data.augmentation import CROP_FLIP
from normbench.data.dataset import TABLE_MARK, Dataset, part_of
from normbench.data.splits import TEST, split_indices
from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, Network, as_network
from normbench.networks.base import Shape
from normbench.problems import plug_ins
from normbench.problems.bound import at_bound, scaled_outputs
from normbench.problems.initial_weights import USUAL, usual
from normbench.problems.plug_ins import PlugInTask as PlugInTask
from normbench.problems.problem import Problem
from normbench.problems.scaling import (
    dimensional_scaling,
    manifold_initialisation,
    spectral_initialisation,
    unit_parts,
)
from normbench.problems.task import Task, outputs_of
from normbench.specs.base import Normalisation, suggestion

MANIFOLD_OPTIONS = ("manifold", "grouping", "groups", "partition_seed")
PAPER_HIDDEN = plug_ins.HIDDEN
_DIGITS_HIDDEN, _DIGITS_CHANNELS = (64, 32), (8, 16)

_IMAGES: dict[str, Any] = {"split": "official", "batch_size": 128}
_TWENTY_EPOCHS = 20 * (50_000 // 128)
_ON_DEMAND = (  # arXiv 2304.05187, section 3.3, and arXiv 2002.03432, section 6
    Task("mnist", "mnist", (256,) * 3, None, "MNIST, depth 4", iterations=4000, **_IMAGES),
    Task(
        "mnist-10k",
        "mnist",
        (256,) * 3,
        None,
        "MNIST, depth 4, 10,000 training images at once",
        split="official",
        training=10_000,
    ),
    Task("fashion-mnist", "fashion-mnist", (256,) * 3, None, "Fashion-MNIST, depth 4", iterations=4000, **_IMAGES),
    Task("cifar10", "cifar-10", (256,) * 7, None, "CIFAR-10, depth 8", iterations=_TWENTY_EPOCHS, **_IMAGES),
    Task(
        "cifar10-resnet18",
        "cifar-10",
        (64,),
        None,
        "CIFAR-10, pre-activation ResNet-18",
        family="resnet18",
        iterations=_TWENTY_EPOCHS,
        **_IMAGES,
    ),
    Task(
        "cifar100-vgg16",
        "cifar-100",
        (64,),
        None,
        "CIFAR-100, VGG-16",
        family="vgg16",
        iterations=_TWENTY_EPOCHS,
        **_IMAGES,
    ),
    Task(
        "imagenet-resnet50",
        "imagenet",
        (64,),
        None,
        "ImageNet, ResNet-50",
        loss=Loss.CROSS_ENTROPY,
        family="resnet50",
        split="official",
        batch_size=1024,
        iterations=350 * (1_281_167 // 1024),
        augmentation=CROP_FLIP,
    ),
    Task(
        "wikitext2-transformer",
        "wikitext-2",
        (200,),
        None,
        "WikiText-2, transformer of two layers",
        loss=Loss.CROSS_ENTROPY,
        family="transformer",
        split="official",
        batch_size=20,
        iterations=10_000,
    ),
)

TASKS: dict[str, Task] = {
    task.key: task
    for task in (
        Task("quadrotor-sim", "quadrotor-sim", PAPER_HIDDEN, 1.0, "Quadrotor in ground effect (simulated, calibrated)"),
        Task("quadrotor", "quadrotor", PAPER_HIDDEN, 1.0, "Quadrotor in ground effect (the papers' table)"),
        Task("neural-fly", "neural-fly", PAPER_HIDDEN, 1.3, "Neural-Fly, six flights without wind"),
        Task("digits", "digits", _DIGITS_HIDDEN, 0.7, "Handwritten digits, 8 x 8, square loss"),
        Task(
            "digits-conv",
            "digits",
            _DIGITS_CHANNELS,
            0.7,
            "Handwritten digits, 8 x 8, convolutions, square loss",
            family="convolutional",
        ),
        Task(
            "digits-xent",
            "digits",
            _DIGITS_HIDDEN,
            None,
            "Handwritten digits, 8 x 8, cross-entropy",
            loss=Loss.CROSS_ENTROPY,
        ),
        Task(
            "digits-conv-xent",
            "digits",
            _DIGITS_CHANNELS,
            None,
            "Handwritten digits, 8 x 8, convolutions, cross-entropy",
            loss=Loss.CROSS_ENTROPY,
            family="convolutional",
        ),
        *_ON_DEMAND,
    )
}


@dataclass(frozen=True)
class OfAnotherPackage(Task):
    """A task whose samples a function of another package makes, see :mod:`normbench.problems.plug_ins`."""

    def dataset(self, data_dir: Path | None = None) -> Dataset:
        """Samples of the task in physical units; ``data_dir`` is of no use to them and ignored."""
        return plug_ins.dataset(self.key)

    @property
    def source_info(self) -> SourceInfo:
        """What is known of the samples, which are made for it."""
        return plug_ins.source_info(self.key)


def is_known(key: str) -> bool:
    """True if there is a task of that key: ours, a table that is kept, or another package's, which is not imported."""
    return key in TASKS or kept_tables.find(key) is not None or plug_ins.is_offered(key)


def get(key: str) -> Task:
    """The task of that key: ours, a table of the user's, or that of another package.

    Raises
    ------
    InvalidArgumentError
        If there is none; the message lists the known ones.
    PlugInError
        If another package's cannot be imported.
    """
    if key in TASKS:
        return TASKS[key]
    own = kept_tables.find(key)
    if own is not None:
        return _of_table(own)
    if TABLE_MARK in key:
        raise InvalidArgumentError(kept_tables.absent(key))
    if (found := plug_ins.declared(key)) is not None:
        others = {f.name: getattr(found, f.name) for f in fields(found) if f.name not in ("dataset", "title")}
        return OfAnotherPackage(key=key, source=f"{key} of another package", title=found.title or key, **others)
    raise InvalidArgumentError(f"no task {key!r}.{suggestion(key, TASKS)} The benchmark knows: {', '.join(TASKS)}.")


def _of_table(table: kept_tables.KeptTable) -> Task:
    """A perceptron of the papers' hidden widths; classes by cross-entropy."""
    about = table.about
    return Task(
        table.key,
        table.key,
        PAPER_HIDDEN,
        None,
        f"Your table: {', '.join(about['columns'])}",
        loss=Loss.CROSS_ENTROPY if about["classes"] else Loss.SQUARE,
        split=about["split"],
    )


def problem(
    dataset: Dataset,
    network: Network | Shape,
    normalisation: Normalisation,
    *,
    split: str,
    seed: int,
    loss: Loss = Loss.SQUARE,
    hyperparameters: Mapping[str, Any] | None = None,
    initialisation: str = USUAL,
    lipschitz: float | None = None,
    output_scale: float | None = None,
    judged_on: str = TEST,
) -> Problem:
    """Split, scale and initialise: everything a run starts from.

    Parameters
    ----------
    dataset : Dataset
    network : Network, or widths d_0, ..., d_L of a perceptron
    normalisation : Normalisation
    split : str
        One of :data:`normbench.data.splits.RULES`.
    seed : int
        Seeds the split and the weights, independently.
    loss : Loss
    hyperparameters : mapping, optional
        Of the optimiser: for scaled manifolds, which ones.
    initialisation : str
        One of :data:`normbench.problems.initial_weights.INITIALISATIONS`, or what is usual with the normalisation.
    lipschitz : float, optional
        For the scaling of :func:`normbench.problems.bound.at_bound`, whatever the normalisation.
    output_scale : float, optional
        For :func:`normbench.problems.bound.scaled_outputs`, after the scaling of the normalisation.
    judged_on : str
        One of :data:`normbench.data.splits.JUDGED_ON`: where the test samples of the problem come from.

    Raises
    ------
    InvalidArgumentError
        If the network does not fit the data, or the initialisation the network.
    """
    network = as_network(network)
    samples, outputs = dataset.inputs.shape[1:], outputs_of(dataset)
    if math.prod(network.input_shape) != math.prod(samples) or network.output_shape[-1] != outputs:
        raise InvalidArgumentError(
            f"a network from {network.input_shape} to {network.output_shape} does not fit data set {dataset.name!r}, "
            f"which has samples of shape {samples} and {outputs} outputs. Change its first and last width."
        )
    indices = split_indices(dataset, rule=split, seed=seed, judged_on=judged_on)
    train, test = (
        (part_of(dataset.inputs, rows, network.input_shape), dataset.outputs[rows])
        for rows in (indices.train, indices.test)
    )
    given: dict[str, Any] = {
        "seed": seed,
        "loss": loss,
        "classes": len(dataset.classes),
        "initialisation": usual(normalisation) if initialisation == USUAL else initialisation,
    }
    if lipschitz is not None:
        return at_bound(*unit_parts(train, test), network, lipschitz=lipschitz, **given)
    scalings: dict[Normalisation, Callable[..., Problem]] = {
        Normalisation.MANIFOLDS: manifold_initialisation,
        Normalisation.SPHERES: spectral_initialisation,
        Normalisation.PRESCRIPTION: dimensional_scaling,
    }
    if normalisation is Normalisation.MANIFOLDS:
        given |= {name: (hyperparameters or {})[name] for name in MANIFOLD_OPTIONS}
    found = scalings[normalisation](train, test, network, **given)
    return found if output_scale is None else scaled_outputs(found, output_scale)
