"""A plain network and its certificate in one NPZ file, without pickle.

weight_0, weight_1, ...   (fan_out, fan_in) each, from the first layer to the last
bias_0, bias_1, ...       may be there; no bound depends on them
output_scale              what outputs are multiplied by; 1 if it is not there
lipschitz                 the bound that was asked for; may be missing
activation                its name, between all layers; relu if it is not there
witness_*                 the arrays of a certificate, see :meth:`normbench.certificates.Certificate.arrays`
"""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normbench.certificates.certificate import PREFIX
from normbench.certificates.plain import plain
from normbench.errors import DataError, InvalidArgumentError
from normbench.writing import write_bytes

_WEIGHT, _BIAS = "weight_", "bias_"
_NUMBERS = ("output_scale", "lipschitz")
_ACTIVATION = "activation"


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """What a file holds.

    Attributes
    ----------
    weights : tuple of arrays, shape (n_k, n_{k-1})
    output_scale : float
    lipschitz : float or None
        The bound that was asked for.
    witness : dict of str to array
        For :func:`normbench.certificates.from_arrays`, which checks it; empty if there is none.
    activation : str
        Between its layers: a name in :data:`normbench.networks.activations.ACTIVATIONS`.
    biases : tuple of arrays, shape (n_k,)
        Of every layer, zeros where the file has none; empty where it has none at all.
    """

    weights: tuple[np.ndarray, ...]
    output_scale: float
    lipschitz: float | None
    witness: dict[str, np.ndarray]
    activation: str = "relu"
    biases: tuple[np.ndarray, ...] = ()

    def write(self, path: Path) -> None:
        """Write or replace a file, which is on disk, whole, when this returns.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        arrays = {f"{_WEIGHT}{k}": weight for k, weight in enumerate(self.weights)} | self.witness
        arrays |= {f"{_BIAS}{k}": bias for k, bias in enumerate(self.biases)}
        arrays |= {"output_scale": np.array(self.output_scale), "activation": np.array(self.activation)}
        if self.lipschitz is not None:
            arrays["lipschitz"] = np.array(self.lipschitz)
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        write_bytes(path, content.getvalue())


def read(path: Path, activation: str | None = None) -> StoredNetwork:
    """The network in a file.

    Parameters
    ----------
    path : Path
    activation : str, optional
        Between its layers, if not what the file says.

    Raises
    ------
    DataError
        If the file is none of the layout above, or its weights are no network.
    """
    arrays = _arrays(path)
    try:
        found = _network(arrays, activation)
        plain(found.weights, found.activation, found.output_scale)
    except InvalidArgumentError as error:
        raise DataError(f"{path} holds no network to certify: {error}") from error
    return found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error) or type(error).__name__
        if "pickle" in reason.lower():
            reason = "it needs pickle, which can run any program; store arrays of numbers"
        raise DataError(f"{path} is no NPZ file of arrays: {reason}.") from error


def _network(arrays: Mapping[str, np.ndarray], activation: str | None) -> StoredNetwork:
    known = (_WEIGHT, _BIAS, PREFIX)
    if strange := sorted(
        name for name in arrays if name not in (*_NUMBERS, _ACTIVATION) and not name.startswith(known)
    ):
        raise InvalidArgumentError(
            f"it has {', '.join(strange)}; known are weight_0, weight_1, ..., bias_0, ..., {', '.join(_NUMBERS)}, "
            f"{_ACTIVATION} and witness_*."
        )
    count = sum(name.startswith(_WEIGHT) for name in arrays)
    names = [f"{_WEIGHT}{index}" for index in range(max(count, 1))]
    if missing := [name for name in names if name not in arrays]:
        raise InvalidArgumentError(f"it lacks {', '.join(missing)}; layers are counted from weight_0 without a gap.")
    scale, asked = (_number(name, arrays.get(name)) for name in _NUMBERS)
    if asked is not None and not 0.0 < asked < math.inf:
        raise InvalidArgumentError(f"lipschitz must be positive and finite; got {asked!r}.")
    witness = {name: array for name, array in arrays.items() if name.startswith(PREFIX)}
    between = str(arrays.get(_ACTIVATION, "relu")) if activation is None else activation
    weights = tuple(arrays[name] for name in names)
    return StoredNetwork(weights, 1.0 if scale is None else scale, asked, witness, between, _biases(arrays, weights))


def _biases(arrays: Mapping[str, np.ndarray], weights: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    if not any(name.startswith(_BIAS) for name in arrays):
        return ()
    found = tuple(arrays.get(f"{_BIAS}{k}", np.zeros(len(w))) for k, w in enumerate(weights))
    for k, (bias, w) in enumerate(zip(found, weights, strict=True)):
        if bias.shape != (len(w),) or bias.dtype.kind not in "fiu" or not np.isfinite(bias).all():
            raise InvalidArgumentError(f"{_BIAS}{k} must be {len(w)} finite numbers; got {bias.dtype}, {bias.shape}.")
    return found


def _number(name: str, array: np.ndarray | None) -> float | None:
    if array is None:
        return None
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise InvalidArgumentError(f"{name} must be one number; got {array.dtype} of shape {array.shape}.")
    return float(array.reshape(()))
