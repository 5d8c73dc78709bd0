"""Rows that train and rows that are held out, each with a weight: what a weight of a row is, and where it enters.

The loss is sum_i w_i loss_i / sum_i w_i. A network without biases is positively homogeneous, f(s z) = s f(z), so that
w ||f(z) - y||^2 = ||f(sqrt(w) z) - sqrt(w) y||^2: rows and targets of the square loss carry the root of their weight.
The cross-entropy is linear in its targets, which carry the weight itself. Trainers need not know of it.
"""

import math
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.model_selection import train_test_split

from normbench.errors import InvalidArgumentError, argument
from normbench.networks import Loss


class Samples(NamedTuple):
    """Rows of a table.

    Attributes
    ----------
    x : array, shape (samples, ...), float64
    y : array, shape (samples, outputs), or (samples,) of classes
    weight : array, shape (samples,), float64, or None
        Above 0, close to 1 in the mean; None where all rows count alike.
    group : array, shape (samples,), int64, or None
        Numbers of what is held out whole; None where rows are held out one by one.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    group: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> "Samples":
        """Some of the rows."""
        weight, group = (None if array is None else array[rows] for array in (self.weight, self.group))
        return Samples(self.x[rows], self.y[rows], weight, group)


class Division(Protocol):
    """What of :class:`normbench.estimators.settings.Settings` says which rows are held out."""

    @property
    def early_stopping(self) -> bool:
        """Whether any are."""

    @property
    def validation_fraction(self) -> float:
        """Their share."""

    @property
    def seed(self) -> int:
        """Of the draw."""


def table_of(x: np.ndarray, y: np.ndarray, sample_weight: Any = None, groups: Any = None) -> Samples:
    """The rows of a table with their weights and groups, without those of weight 0.

    Raises
    ------
    InvalidArgumentError
        If the weights are not one finite number of at least 0 for every row, or fewer than two are above 0; if the
        groups are not one number or text for every row.
    """
    group = None if groups is None else _numbered(groups, len(x))
    if sample_weight is None:
        return Samples(x, y, group=group)
    weight = checked(sample_weight, len(x), "sample_weight")
    kept = weight > 0
    if kept.sum() < 2:
        but = " but one" if kept.any() else ""
        raise InvalidArgumentError(
            f"sample_weight is zero in all{but} of {len(x)} rows; two at least have to count. Give weights above 0."
        )
    relative = _relative(weight[kept])
    if not relative.all():
        low, high = weight[kept].min(), weight[kept].max()
        raise InvalidArgumentError(
            f"sample_weight goes from {low:g} to {high:g}, more than float64 holds side by side. Give rows of next to "
            "no weight a weight of 0."
        )
    if kept.all():
        return Samples(x, y, relative, group)
    return Samples(x, y, group=group).at(kept)._replace(weight=relative)


def _numbered(groups: Any, rows: int) -> np.ndarray:
    """Groups as numbers from 0 on, shape (rows,)."""
    found = np.asarray(groups)
    if found.shape != (rows,):
        raise InvalidArgumentError(
            f"groups must have one entry for each of the {rows} rows, shape ({rows},); got shape {found.shape}."
        )
    missing = [row for row, entry in enumerate(found.tolist()) if _is_missing(entry)]
    if missing:
        raise InvalidArgumentError(
            f"groups must say one for every row; row {missing[0]} has {found.tolist()[missing[0]]!r}, the first of "
            f"{len(missing)}. Give such rows a group of their own, or leave them out."
        )
    try:
        return np.unique(found, return_inverse=True)[1]
    except TypeError as error:
        raise InvalidArgumentError(f"groups must be numbers or text, all of one kind: {error}.") from error


def checked(given: Any, rows: int, name: str) -> np.ndarray:
    """Weights as an array, shape (rows,), float64.

    Raises
    ------
    InvalidArgumentError
        If they are not one finite number of at least 0 for every row; the message calls them ``name``.
    """
    try:
        kind = np.asarray(given).dtype
        found = np.asarray(given, dtype=None if kind.kind == "c" else np.float64)
        if kind.kind in "USmMc":
            raise ValueError(f"they are {kind}")
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name} must be numbers, one a row: {error}.") from error
    if found.shape != (rows,):
        raise InvalidArgumentError(
            f"{name} must have one number for each of the {rows} rows, shape ({rows},); got shape {found.shape}."
        )
    wrong = ~(np.isfinite(found) & (found >= 0.0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidArgumentError(
            f"{name} must be finite and at least 0; got {found[row]} in row {row}, the first of {wrong.sum()}. A "
            "weight of 0 leaves a row out."
        )
    return found


def mean(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """sum_i w_i values_i / sum_i w_i over the rows."""
    return values.mean(axis=0) if weight is None else np.average(values, axis=0, weights=_relative(weight))


def folded(samples: Samples, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a network without biases, whose plain mean loss is the weighted one of the samples.

    Parameters
    ----------
    samples : Samples
        Inputs of the network, and targets, shape (samples, outputs); one-hot for the cross-entropy.
    loss : Loss
    """
    x, y = samples.x, samples.y
    if samples.weight is None:
        return x, y
    relative = _relative(samples.weight)[:, None]
    if loss is Loss.CROSS_ENTROPY:
        return x, relative * y
    root = np.sqrt(relative)
    return root * x, root * y


def _relative(weight: np.ndarray) -> np.ndarray:
    """Divided by their mean, by way of the largest, so that no sum is too large for float64."""
    scaled = weight / weight.max()
    return scaled / scaled.mean()


def _is_missing(entry: Any) -> bool:
    try:
        return entry is None or bool(entry != entry)
    except TypeError:  # pandas.NA compares as itself
        return True


def divided(table: Samples, settings: Division, classes: np.ndarray | None = None) -> tuple[Samples, Samples | None]:
    """What is trained on, and what is held out, or None: whole groups, else rows, class by class where there are any.

    Raises
    ------
    InvalidArgumentError
        If there are too few groups, rows, or rows of a class, for both.
    """
    if not settings.early_stopping:
        return table, None
    if table.group is not None:
        held_out = _whole_groups(table.group, settings, classes)
        return table.at(~held_out), table.at(held_out)
    _check_divisible(len(table.x), settings.validation_fraction, classes)
    share = float(settings.validation_fraction)  # scikit-learn takes no float32
    rows = np.arange(len(table.x))
    train, held = train_test_split(rows, test_size=share, random_state=settings.seed % 2**32, stratify=classes)
    return table.at(train), table.at(held)


def _whole_groups(group: np.ndarray, settings: Division, classes: np.ndarray | None) -> np.ndarray:
    """Which rows are held out: all of a share of the groups, at least of one, and of none that a class needs to train.

    Groups are drawn by the seed, one after the other.
    """
    _, group = np.unique(group, return_inverse=True)  # without the numbers of rows whose weight is 0
    members = np.zeros_like(group) if classes is None else classes
    rows = np.zeros((group.max() + 1, members.max() + 1), dtype=np.int64)
    np.add.at(rows, (group, members), 1)
    left, held_out = rows.sum(axis=0), np.zeros(len(rows), dtype=bool)
    wanted = max(1, round(settings.validation_fraction * len(rows)))
    for number in np.random.default_rng(settings.seed).permutation(len(rows)):
        without = left - rows[number]
        if without.all() and without.sum() >= 2:
            left, held_out[number] = without, True
        if held_out.sum() == wanted:
            break
    if not held_out.any():
        needed = "two rows at least" if classes is None else "two rows at least, and one of every class,"
        option = argument("early_stopping")
        raise InvalidArgumentError(
            f"{option} holds out whole groups, {needed} have to train, and each of {len(rows)} groups is needed for "
            f"that. Give finer groups, or leave {option} off."
        )
    return held_out[group]


def _check_divisible(rows: int, fraction: float, classes: np.ndarray | None) -> None:
    held_out = math.ceil(fraction * rows)
    option, share = argument("early_stopping"), argument("validation_fraction")
    remedy = f"Choose another {share}, or leave {option} off."
    said = f"{option} holds out {held_out} of {rows} rows, {share} {fraction:g}"
    if rows - held_out < 2:
        raise InvalidArgumentError(f"{said}, and two at least have to train. {remedy}")
    if classes is None:
        return
    members = np.bincount(classes)
    if members.min() < 2:
        single = f"{(members < 2).sum()} of {len(members)} classes have one"
        raise InvalidArgumentError(
            f"{option} needs two rows of every class, one to train and one to hold out, and {single}. Leave it off, or "
            "leave those classes out."
        )
    if min(held_out, rows - held_out) < len(members):
        raise InvalidArgumentError(f"{said}, and both parts need one of each of {len(members)} classes. {remedy}")


def digest(table: Samples) -> str:
    """SHA-256 of the numbers and shapes, in float64 or as they are."""
    found = sha256()
    for array in table:
        if array is not None:
            found.update(f"{array.dtype} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
