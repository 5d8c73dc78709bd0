"""Sizes that cannot work, found before anything is trained: more memory than there is, batches larger than the data."""

import math
from collections.abc import Sequence

from normbench.data.dataset import Dataset
from normbench.data.splits import TEST, split_indices
from normbench.errors import InvalidArgumentError, argument
from normbench.machine import memory
from normbench.networks.base import Shape
from normbench.running.devices import check_samples
from normbench.running.feed import AHEAD

# lower bounds, in bytes: more is needed, so that what is refused here could never have run
_PER_PARAMETER = 24  # initial and final weights in float64; weights and gradient in float32
_PER_ITERATION = 48  # six curves
_PER_ROW = 8  # number of one sample in a mini-batch
_PER_PIXEL = 4  # of a sample that is made when it is asked for: float32
_SEEDS = 20  # whose splits are looked at


def check_sizes(
    shapes: Sequence[Shape],
    *,
    iterations: int,
    batch_size: int | None = None,
    fed: Shape | None = None,
    available: int | None = None,
    given_by: Sequence[str] = ("layers", "width"),
) -> None:
    """Raise where weights, curves or batches cannot fit into memory.

    Parameters
    ----------
    shapes : sequence of shapes
        Of the weights.
    iterations : int
    batch_size : int or None
    fed : shape or None
        Of a sample, where batches are made while they are learned from (:mod:`normbench.running.feed`), a few at a
        time; None where the numbers of the samples of all of them are drawn before.
    available : int or None
        Bytes; None for what this machine has.
    given_by : sequence of str
        The arguments by which the caller says how large the weights are.

    Raises
    ------
    InvalidArgumentError
    """
    room = memory() if available is None else available
    parameters = sum(map(math.prod, shapes))
    if parameters * _PER_PARAMETER > room:
        raise InvalidArgumentError(
            f"a network of {parameters:.3g} weights needs at least {_gigabytes(parameters * _PER_PARAMETER)}, and "
            f"there are {_gigabytes(room)} of memory. Choose smaller {' or '.join(map(argument, given_by))}."
        )
    drawn = 0 if fed is not None else _PER_ROW * (batch_size or 0)
    what = "curves and batches" if drawn else "curves"
    needed = iterations * (_PER_ITERATION + drawn)
    if needed > room:
        raise InvalidArgumentError(
            f"{iterations:.3g} iterations leave {what} of at least {_gigabytes(needed)}, and there are "
            f"{_gigabytes(room)} of memory. Choose fewer {argument('iterations')}."
        )
    made = 0 if fed is None else (1 + AHEAD) * (batch_size or 0) * math.prod(fed) * _PER_PIXEL
    if made > room:
        raise InvalidArgumentError(
            f"{1 + AHEAD} batches of {batch_size} samples of shape {fed}, as many as are there at a time, need at "
            f"least {_gigabytes(made)}, and there are {_gigabytes(room)} of memory. Choose a smaller "
            f"{argument('batch_size')}."
        )


def check_split(
    dataset: Dataset,
    *,
    split: str,
    seeds: Sequence[int],
    batch_size: int | None,
    judged_on: str = TEST,
    devices: int = 1,
) -> None:
    """Raise where the data have no such split, or a batch or the devices are more than what a run trains on.

    Raises
    ------
    InvalidArgumentError, DataError
    """
    for seed in seeds[:_SEEDS]:
        samples = len(split_indices(dataset, rule=split, seed=seed, judged_on=judged_on).train)
        check_samples(devices, samples)
        if batch_size is not None and batch_size > samples:
            where = f"split {split}, seed {seed}" + (f", judged on {judged_on}" if judged_on != TEST else "")
            raise InvalidArgumentError(
                f"{argument('batch_size', batch_size)} is larger than the training set of {samples} samples ({where}). "
                "Choose a smaller one, or leave it out for the task's own."
            )


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
