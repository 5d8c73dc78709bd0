"""Training and test samples: at random, as in arXiv 2312.10672, in blocks or groups, which leak less, or as published.

Where a run is judged on a validation part, the training samples are divided once more, by the same rule, and the test
samples are not touched.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from normbench.errors import InvalidArgumentError, argument
from normbench.numbers import count

TEST_SHARE = 0.2
BLOCK_SECONDS = 5.0
TEST, VALIDATION = JUDGED_ON = ("test", "validation")
VALIDATION_STREAM = 7  # seeds the parts of the training samples apart from the split, which uses the bare seed


class Samples(Protocol):
    """What is divided: a :class:`normbench.data.dataset.Dataset`, or a user's table."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def inputs(self) -> np.ndarray:
        """Shape (samples, ...)."""

    @property
    def time(self) -> np.ndarray | None:
        """Seconds, shape (samples,)."""

    @property
    def flight(self) -> np.ndarray | None:
        """Number of the group of each, shape (samples,)."""

    @property
    def official(self) -> np.ndarray | None:
        """True for the published test set, shape (samples,)."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which samples to train and to test on.

    Attributes
    ----------
    train, test : array of int64, shapes (training samples,) and (test samples,)
        Row numbers; disjoint. Together they are all rows or, judged on validation, all training rows.
    """

    train: np.ndarray
    test: np.ndarray


def split_indices(
    dataset: Samples, *, rule: str, seed: int, judged_on: str = TEST, test_share: float = TEST_SHARE
) -> Split:
    """Divide the samples of a data set.

    Parameters
    ----------
    dataset : Dataset, or what has its fields
    rule : str
        ``"random"``: a permutation, the first 80 % of it for training. ``"blocked"``: each flight is cut into blocks
        of 5 s and 20 % of all blocks, drawn by seed, are held out; both parts keep the order of the rows.
        ``"official"``: the published test set is held out, whatever the seed; both parts keep the order of the rows.
        ``"grouped"``: 20 % of the flights, or of what else ``flight`` numbers, at least one, are held out, drawn by
        seed; both parts keep the order of the rows.
    seed : int
        Of :func:`numpy.random.default_rng`, not negative.
    judged_on : str
        ``"test"``: the held-out samples. ``"validation"``: 20 % of the training samples of that split and seed, drawn
        by seed; whole blocks for ``"blocked"``, whole flights for ``"grouped"``, else single samples. The other 80 %
        train, and the test samples are in neither part.
    test_share : float
        Another share than 20 % that is held out, of the samples that are divided first.

    Raises
    ------
    InvalidArgumentError
        If the rule is unknown or does not fit the data (no times for ``"blocked"``, no published test set for
        ``"official"``, less than two groups for ``"grouped"``), ``judged_on`` is unknown, the seed is no integer or
        negative, or there is too little data for both parts.
    """
    if rule not in RULES:
        raise InvalidArgumentError(f"unknown split {rule!r}; choose from {', '.join(RULES)}.")
    if judged_on not in JUDGED_ON:
        raise InvalidArgumentError(f"judged_on must be one of {', '.join(JUDGED_ON)}; got {judged_on!r}.")
    number, rows = count("seed of a split", seed, least=0), np.arange(len(dataset.inputs))
    split = RULES[rule](dataset, rows, np.random.default_rng(number), 1.0 - test_share)
    if judged_on == VALIDATION:
        rows = split.train
        split = _WITHIN_TRAINING[rule](
            dataset, rows, np.random.default_rng([number, VALIDATION_STREAM]), 1.0 - TEST_SHARE
        )
    if len(split.train) == 0 or len(split.test) == 0:
        remedy = "Use more data"
        if test_share != TEST_SHARE:
            which = "smaller" if len(split.train) == 0 else "larger"
            remedy = f"{argument('test_share', test_share)} is what parts them: choose a {which} one"
        elif others := [other for other in rules(dataset) if other != rule]:
            remedy += f", or split it by another rule: {' or '.join(others)}"
        raise InvalidArgumentError(
            f"{rule} split of data set {dataset.name!r} leaves {len(split.train)} training and {len(split.test)} "
            f"{judged_on} samples of {len(rows)}; both parts need some. {remedy}."
        )
    return split


def units(dataset: Samples, rule: str) -> np.ndarray | None:
    """Number of what a rule holds out whole, of each sample, shape (samples,); None where that is single samples."""
    if rule == "blocked":
        return block_ids(dataset)
    return dataset.flight if rule == "grouped" else None


def block_ids(dataset: Samples) -> np.ndarray:
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
        raise InvalidArgumentError(
            f"blocked split needs the times of the samples, and those of data set {dataset.name!r} have none. "
            f"Split it by another rule: {_others(dataset)}."
        )
    flights, flight = np.unique(dataset.flight, return_inverse=True)
    start = np.full(len(flights), np.inf)
    np.minimum.at(start, flight, dataset.time)
    within = np.floor((dataset.time - start[flight]) / BLOCK_SECONDS).astype(np.int64)
    _, ids = np.unique(np.stack([flight, within], axis=1), axis=0, return_inverse=True)
    return ids.reshape(-1)


def rules(dataset: Samples) -> tuple[str, ...]:
    """The rules that fit the data."""
    fits = {"random": True, "blocked": dataset.time is not None, "official": dataset.official is not None}
    return tuple(rule for rule, fit in (fits | {"grouped": _groups(dataset) > 1}).items() if fit)


def _groups(dataset: Samples) -> int:
    return 0 if dataset.flight is None else len(np.unique(dataset.flight))


def _others(dataset: Samples) -> str:
    return " or ".join(rules(dataset))


def _random(dataset: Samples, rows: np.ndarray, generator: np.random.Generator, train_share: float) -> Split:
    order = generator.permutation(rows)
    cut = round(train_share * len(rows))
    return Split(order[:cut], order[cut:])


def _blocked(dataset: Samples, rows: np.ndarray, generator: np.random.Generator, train_share: float) -> Split:
    return _whole(block_ids(dataset)[rows], rows, generator, train_share)


def _grouped(dataset: Samples, rows: np.ndarray, generator: np.random.Generator, train_share: float) -> Split:
    groups = _groups(dataset)
    if dataset.flight is None or groups < 2:
        raise InvalidArgumentError(
            f"grouped split needs samples of several groups, and those of data set {dataset.name!r} have "
            f"{groups or 'none'}. Split it by another rule: {_others(dataset)}."
        )
    return _whole(dataset.flight[rows], rows, generator, train_share)


def _whole(ids: np.ndarray, rows: np.ndarray, generator: np.random.Generator, train_share: float) -> Split:
    """All rows of an id in one part; at least one id is for testing."""
    units = generator.permutation(np.unique(ids))
    cut = min(round(train_share * len(units)), len(units) - 1)
    in_test = np.isin(ids, units[cut:])
    return Split(rows[~in_test], rows[in_test])


def _official(dataset: Samples, rows: np.ndarray, generator: np.random.Generator, train_share: float) -> Split:
    if dataset.official is None:
        raise InvalidArgumentError(
            f"official split needs a published test set, and data set {dataset.name!r} has none. "
            f"Split it by another rule: {_others(dataset)}."
        )
    return Split(np.flatnonzero(~dataset.official), np.flatnonzero(dataset.official))


RULES = {"random": _random, "blocked": _blocked, "official": _official, "grouped": _grouped}
_WITHIN_TRAINING = RULES | {"official": _random}  # nobody publishes a validation set
