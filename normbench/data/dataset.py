"""The one shape in which every source hands over its samples, checked on construction."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from normbench.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples of one source, unnormalised, in the units of the source.

    Attributes
    ----------
    name : str
        Registry key of the source.
    simulated : bool
        True if a simulator made the samples; shown wherever a figure from them is shown.
    inputs : array, shape (samples, features), float64
    outputs : array, shape (samples, outputs), float64
    time : array, shape (samples,), float64
        Seconds since the start of the log; used to hold out contiguous blocks.
    flight : array, shape (samples,), int64
        Which recording a sample belongs to; a block never spans two flights.
    input_names, output_names : tuple of str
    unit : str
        Unit of the outputs.

    Raises
    ------
    DataError
        If shapes disagree, a value is not finite, or an input sample has zero norm.
    """

    name: str
    simulated: bool
    inputs: np.ndarray
    outputs: np.ndarray
    time: np.ndarray
    flight: np.ndarray
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    unit: str

    def __post_init__(self) -> None:
        samples = len(self.inputs)
        expected = {
            "inputs": (samples, len(self.input_names)),
            "outputs": (samples, len(self.output_names)),
            "time": (samples,),
            "flight": (samples,),
        }
        if samples == 0:
            raise DataError(f"data set {self.name!r} has no samples.")
        for field, shape in expected.items():
            array = getattr(self, field)
            if array.shape != shape:
                raise DataError(f"{field} of data set {self.name!r} has shape {array.shape}; expected {shape}.")
            bad = ~np.isfinite(array).reshape(samples, -1).all(axis=1)
            if bad.any():
                raise DataError(
                    f"{field} of data set {self.name!r} has NaN or infinite values in {bad.sum()} samples, "
                    f"first at row {int(bad.argmax())}. Remove or repair those rows."
                )
        zero = ~self.inputs.any(axis=1)
        if zero.any():
            raise DataError(
                f"data set {self.name!r} has {zero.sum()} input samples of zero norm, first at row "
                f"{int(zero.argmax())}; x / ||x|| is undefined there. Remove those rows."
            )

    @cached_property
    def sha256(self) -> str:
        """Content hash over inputs, outputs, time and flight (little-endian bytes), as hexadecimal digits."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.outputs, self.time):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.flight, dtype="<i8").tobytes())
        return digest.hexdigest()
