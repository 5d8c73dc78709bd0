"""Training and test samples: at random, as in arXiv 2312.10672, in blocks of time that leak less, or as published."""

from dataclasses import dataclass

import numpy as np

from normbench.data.dataset import Dataset
from normbench.errors import InvalidArgumentError
from normbench.numbers import count

TRAIN_SHARE = 0.8
BLOCK_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Split:
    """Which samples to train and to test on.

    Attributes
    ----------
    train, test : array of int64, shapes (training samples,) and (test samples,)
        Row numbers; disjoint, together all rows.
    """

    train: np.ndarray
    test: np.ndarray


def split_indices(dataset: Dataset, *, rule: str, seed: int) -> Split:
    """Divide the samples of a data set.

    Parameters
    ----------
    dataset : Dataset
    rule : str
        ``"random"``: a permutation, the first 80 % of it for training. ``"blocked"``: each flight is cut into blocks
        of 5 s and 20 % of all blocks, drawn by seed, are held out; both parts keep the order of the rows.
        ``"official"``: the published test set is held out, whatever the seed; both parts keep the order of the rows.
    seed : int
        Of :func:`numpy.random.default_rng`, not negative.

    Raises
    ------
    InvalidArgumentError
        If the rule is unknown or does not fit the data (no times for ``"blocked"``, no published test set for
        ``"official"``), the seed is no integer or negative, or there is too little data for both parts.
    """
    if rule not in RULES:
        raise InvalidArgumentError(f"unknown split {rule!r}; choose from {', '.join(RULES)}.")
    split = RULES[rule](dataset, np.random.default_rng(count("seed of a split", seed, least=0)))
    if len(split.train) == 0 or len(split.test) == 0:
        raise InvalidArgumentError(
            f"{rule} split of data set {dataset.name!r} leaves {len(split.train)} training and {len(split.test)} test "
            f"samples of {len(dataset.inputs)}; both parts need some. Use more data."
        )
    return split


def block_ids(dataset: Dataset) -> np.ndarray:
    """Number of the 5 s block that each sample lies in, counted through all flights.

    Returns
    -------
    array of int64, shape (samples,)
        0 to blocks - 1; a block lies within one flight.

    Raises
    ------
    InvalidArgumentError
        If the samples have no time.
    """
    if dataset.time is None or dataset.flight is None:
        other = "random" if dataset.official is None else "random or official"
        raise InvalidArgumentError(
            f"blocked split needs the times of the samples, and those of data set {dataset.name!r} have none. "
            f"Split it by another rule: {other}."
        )
    flights, flight = np.unique(dataset.flight, return_inverse=True)
    start = np.full(len(flights), np.inf)
    np.minimum.at(start, flight, dataset.time)
    within = np.floor((dataset.time - start[flight]) / BLOCK_SECONDS).astype(np.int64)
    _, ids = np.unique(np.stack([flight, within], axis=1), axis=0, return_inverse=True)
    return ids.reshape(-1)


def _random(dataset: Dataset, generator: np.random.Generator) -> Split:
    samples = len(dataset.inputs)
    order = generator.permutation(samples)
    cut = round(TRAIN_SHARE * samples)
    return Split(order[:cut], order[cut:])


def _blocked(dataset: Dataset, generator: np.random.Generator) -> Split:
    ids = block_ids(dataset)
    blocks = int(ids.max()) + 1
    held_out = generator.permutation(blocks)[round(TRAIN_SHARE * blocks) :]
    in_test = np.isin(ids, held_out)
    return Split(np.flatnonzero(~in_test), np.flatnonzero(in_test))


def _official(dataset: Dataset, generator: np.random.Generator) -> Split:
    if dataset.official is None:
        other = "random" if dataset.time is None else "random or blocked"
        raise InvalidArgumentError(
            f"official split needs a published test set, and data set {dataset.name!r} has none. "
            f"Split it by another rule: {other}."
        )
    return Split(np.flatnonzero(~dataset.official), np.flatnonzero(dataset.official))


RULES = {"random": _random, "blocked": _blocked, "official": _official}
