"""The one shape in which every source hands over its samples, checked on construction."""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from normbench.data.streamed import StreamedImages
from normbench.errors import DataError, InvalidArgumentError


class Kind(StrEnum):
    """What the outputs of a data set are."""

    REGRESSION = "regression"
    """Physical quantities, shape (samples, outputs)."""
    CLASSIFICATION = "classification"
    """One-hot rows, shape (samples, classes)."""
    TOKENS = "tokens"
    """For every token of a sequence the one that follows it, shape (sequences, length)."""


TABLE_MARK = "@"  # in the key of a user's table, between its name and the hash of its content and columns; in no other


def origin(simulated: bool, task: str = "") -> str:
    """The word for data, wherever a figure from them is shown; of a user's table nobody knows more than that."""
    return "SIMULATED" if simulated else "your" if TABLE_MARK in task else "real"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples of one source, unnormalised, in the units of the source.

    Attributes
    ----------
    name : str
        Registry key of the source.
    simulated : bool
        True if a simulator made the samples; shown wherever a figure from them is shown.
    inputs : array
        Regression: shape (samples, features), float64. Classification: shape (samples, ...), floating; images are
        (samples, channels, height, width) with pixels in [0, 1], and large image sets keep them in float32 to
        save memory; or :class:`normbench.data.streamed.StreamedImages`, whose pixels nobody looks at before they are
        asked for. Tokens: shape (sequences, length), integers below the number of classes.
    outputs : array
        Regression: shape (samples, outputs), float64. Classification: shape (samples, classes), one-hot float64, or
        shape (samples,), their numbers, where rows would be too large. Tokens: shape (sequences, length), integers;
        ``outputs[:, :-1]`` is ``inputs[:, 1:]``.
    time : array, shape (samples,), float64, or None
        Seconds since the start of the log; used to hold out contiguous blocks. None where samples have no time.
    flight : array, shape (samples,), int64, or None
        Which recording, or other group, a sample belongs to; a block never spans two. None only where there is no time.
    input_names, output_names : tuple of str
        One name per column of a regression; empty otherwise.
    unit : str
        Unit of the outputs; "probability" for classes and tokens.
    classes : tuple of str
        Names of the classes, or the words that the tokens number; empty for a regression.
    official : array, shape (samples,), bool, or None
        True for the samples of the published test set; None where there is none.

    Raises
    ------
    DataError
        If shapes disagree, a value is not finite, an input sample has zero norm (tokens have none), a pixel is
        outside [0, 1], a row of classes is not one-hot, or tokens are not followed by the next ones.
    """

    name: str
    simulated: bool
    inputs: np.ndarray
    outputs: np.ndarray
    time: np.ndarray | None = None
    flight: np.ndarray | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    unit: str = "probability"
    classes: tuple[str, ...] = ()
    official: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) == 0:
            raise DataError(f"data set {self.name!r} has no samples.")
        for field, shape in self._expected_shapes().items():
            array = getattr(self, field)
            if array is not None:
                self._check_array(field, array, shape)
        if self.time is not None and self.flight is None:
            raise DataError(f"data set {self.name!r} has time and no flight. Give zeros if all samples are of one.")
        if self.official is not None and self.official.dtype != bool:
            raise DataError(f"official of data set {self.name!r} has dtype {self.official.dtype}; expected bool.")
        if self.kind is Kind.TOKENS:
            self._check_tokens()
            return
        if not isinstance(self.inputs, StreamedImages):
            self._check_norms()
        if self.kind is Kind.CLASSIFICATION:
            self._check_classes()

    @property
    def kind(self) -> Kind:
        """Regression without ``classes``; with them, tokens where inputs are integers, else classification."""
        if not self.classes:
            return Kind.REGRESSION
        return Kind.TOKENS if np.issubdtype(self.inputs.dtype, np.integer) else Kind.CLASSIFICATION

    @cached_property
    def sha256(self) -> str:
        """Content hash as hexadecimal digits.

        Over inputs, outputs, time, flight and official (little-endian bytes in their own precision, what is None
        left out), then the names of the classes. The arrays of a regression are hashed as float64 and int64.
        """
        stored = {"inputs": "<f8", "outputs": "<f8", "time": "<f8", "flight": "<i8", "official": "|b1"}
        digest = hashlib.sha256()
        for field, dtype in stored.items():
            array = getattr(self, field)
            if array is not None:
                if isinstance(array, StreamedImages):
                    digest.update(array.sha256.encode())
                    continue
                own = dtype if self.kind is Kind.REGRESSION else array.dtype.newbyteorder("<")
                digest.update(np.ascontiguousarray(array, dtype=own).reshape(-1).view(np.uint8).data)
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()

    def take(self, rows: np.ndarray) -> "Dataset":
        """Data set of some of the samples, everything that belongs to a sample taken along.

        Parameters
        ----------
        rows : array of int, shape (taken,), or of bool, shape (samples,)
            Row numbers in the order wanted, or a mask.

        Returns
        -------
        Dataset
            Of the same name; its ``sha256`` is its own.

        Raises
        ------
        InvalidArgumentError
            If no row is taken, a row is not there, or a mask has the wrong length.
        """
        rows, samples = np.asarray(rows), len(self.inputs)
        if rows.dtype == bool and rows.shape == (samples,):
            rows = np.flatnonzero(rows)
        elif rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise InvalidArgumentError(
                f"rows must be row numbers, or a mask of shape ({samples},); got {rows.dtype} of shape {rows.shape}."
            )
        if len(rows) == 0 or rows.min() < 0 or rows.max() >= samples:
            raise InvalidArgumentError(
                f"rows must be at least one of 0 to {samples - 1} for data set {self.name!r}; got {len(rows)} rows"
                + (f" from {rows.min()} to {rows.max()}." if len(rows) else ".")
            )
        per_sample = ("inputs", "outputs", "time", "flight", "official")
        arrays = {field: getattr(self, field) for field in per_sample}
        taken: dict[str, Any] = {field: part_of(array, rows) for field, array in arrays.items() if array is not None}
        return replace(self, **taken)

    def _expected_shapes(self) -> dict[str, tuple[int, ...]]:
        samples = len(self.inputs)
        if self.kind is Kind.REGRESSION:
            inputs: tuple[int, ...] = (samples, len(self.input_names))
            outputs: tuple[int, ...] = (samples, len(self.output_names))
        elif self.kind is Kind.TOKENS:
            inputs = outputs = (samples, int(np.prod(self.inputs.shape[1:2])))
        else:
            inputs, outputs = (samples, *self.inputs.shape[1:]), (samples, len(self.classes))[: self.outputs.ndim]
        return {
            "inputs": inputs,
            "outputs": outputs,
            "time": (samples,),
            "flight": (samples,),
            "official": (samples,),
        }

    def _check_array(self, field: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
        if array.shape != shape:
            raise DataError(f"{field} of data set {self.name!r} has shape {array.shape}; expected {shape}.")
        if isinstance(array, StreamedImages):
            return
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            raise DataError(
                f"{field} of data set {self.name!r} has NaN or infinite values in {bad.sum()} samples, "
                f"first at row {int(bad.argmax())}. Remove or repair those rows."
            )

    def _check_norms(self) -> None:
        zero = ~self.inputs.reshape(len(self.inputs), -1).any(axis=1)
        if zero.any():
            raise DataError(
                f"data set {self.name!r} has {zero.sum()} input samples of zero norm, first at row "
                f"{int(zero.argmax())}; x / ||x|| is undefined there. Remove those rows."
            )

    def _check_classes(self) -> None:
        if self.inputs.ndim == 4 and not isinstance(self.inputs, StreamedImages):
            least, most = self.inputs.min(), self.inputs.max()
            if least < 0 or most > 1:
                raise DataError(f"pixels of data set {self.name!r} span {least:g} to {most:g}; scale them to [0, 1].")
        if self.outputs.ndim == 1:
            self._check_numbers("outputs", "classes")
            return
        one_hot = ((self.outputs == 0) | (self.outputs == 1)).all(axis=1) & (self.outputs.sum(axis=1) == 1)
        if not one_hot.all():
            raise DataError(
                f"outputs of data set {self.name!r} are not one-hot in {(~one_hot).sum()} samples, first at row "
                f"{int(one_hot.argmin())}; a row needs one 1 and {len(self.classes) - 1} 0."
            )

    def _check_tokens(self) -> None:
        for field in ("inputs", "outputs"):
            self._check_numbers(field, "tokens")
        wrong = (self.outputs[:, :-1] != self.inputs[:, 1:]).any(axis=1)
        if wrong.any():
            raise DataError(
                f"outputs of data set {self.name!r} are not the next tokens in {wrong.sum()} sequences, first at row "
                f"{int(wrong.argmax())}. Shift the inputs by one."
            )

    def _check_numbers(self, field: str, what: str) -> None:
        array = getattr(self, field)
        if not np.issubdtype(array.dtype, np.integer) or array.min() < 0 or array.max() >= len(self.classes):
            raise DataError(
                f"{field} of data set {self.name!r} span {array.min()} to {array.max()} ({array.dtype}); {what} "
                f"are integers from 0 to {len(self.classes) - 1}, the last of its classes."
            )


def part_of(samples: np.ndarray, rows: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Some of the samples, in another shape if one is given; of streamed ones, which keep theirs, nothing is read."""
    if isinstance(samples, StreamedImages):
        return samples.take(rows)
    return samples[rows] if shape is None else samples[rows].reshape(-1, *shape)
