"""A plain network and its certificate in one NPZ file, without pickle.

f(x) = output_scale W_m rho(... rho(W_1 z + b_1) ...) + b_m, where z = (x - input_mean) / input_scale, or x / ||x||.

weight_0, weight_1, ...   (fan_out, fan_in) each, from the first layer to the last
bias_0, bias_1, ...       may be there; no bound depends on them
output_scale              what outputs are multiplied by, the last biases aside; 1 if it is not there
input_map                 affine or unit_norm, see :data:`INPUT_MAPS`; affine if it is not there
input_mean                (n_0,) of the affine map; zeros if it is not there
input_scale               of the affine map, one number; 1 if it is not there
lipschitz                 the bound that was asked for; may be missing
activation                its name, between all layers; relu if it is not there
witness_*                 the arrays of a certificate, see :meth:`normbench.certificates.Certificate.arrays`
model_*                   what an estimator keeps beside its network; no bound depends on it
"""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from normbench.certificates.certificate import PREFIX
from normbench.certificates.plain import plain
from normbench.certificates.rounding import rounded_up
from normbench.errors import DataError, InvalidArgumentError
from normbench.writing import write_bytes

INPUT_MAPS = {
    "affine": "(x - input_mean) / input_scale",  # one scale for all inputs: a bound over x is one over z by the scale
    "unit_norm": "x / ||x||",  # bounds are over z
}

_WEIGHT, _BIAS, _MODEL = "weight_", "bias_", "model_"
_NUMBERS = ("output_scale", "lipschitz", "input_scale")
_ACTIVATION, _INPUT_MAP, _INPUT_MEAN = "activation", "input_map", "input_mean"


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
    input_map : str
        A key of :data:`INPUT_MAPS`.
    input_mean : array, shape (n_0,), or None
        None for zeros.
    input_scale : float
    model : dict of str to array
        What an estimator keeps, by names that begin with ``model_``.
    """

    weights: tuple[np.ndarray, ...]
    output_scale: float
    lipschitz: float | None
    witness: dict[str, np.ndarray]
    activation: str = "relu"
    biases: tuple[np.ndarray, ...] = ()
    input_map: str = "affine"
    input_mean: np.ndarray | None = None
    input_scale: float = 1.0
    model: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def gain_scale(self) -> float:
        """What a bound of the weights alone is multiplied by: output_scale / input_scale, rounded up."""
        return rounded_up(Fraction(abs(self.output_scale)) / Fraction(self.input_scale))

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
        if self.input_map != "affine":
            arrays[_INPUT_MAP] = np.array(self.input_map)
        if self.input_mean is not None:
            arrays |= {_INPUT_MEAN: self.input_mean, "input_scale": np.array(self.input_scale)}
        arrays |= self.model
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
    known = (_WEIGHT, _BIAS, PREFIX, _MODEL)
    single = (*_NUMBERS, _ACTIVATION, _INPUT_MAP, _INPUT_MEAN)
    if strange := sorted(name for name in arrays if name not in single and not name.startswith(known)):
        raise InvalidArgumentError(
            f"it has {', '.join(strange)}; known are weight_0, weight_1, ..., bias_0, ..., {', '.join(single)}, "
            "witness_* and model_*."
        )
    count = sum(name.startswith(_WEIGHT) for name in arrays)
    names = [f"{_WEIGHT}{index}" for index in range(max(count, 1))]
    if missing := [name for name in names if name not in arrays]:
        raise InvalidArgumentError(f"it lacks {', '.join(missing)}; layers are counted from weight_0 without a gap.")
    scale, asked, input_scale = (_number(name, arrays.get(name)) for name in _NUMBERS)
    for name, value in (("lipschitz", asked), ("input_scale", input_scale)):
        if value is not None and not 0.0 < value < math.inf:
            raise InvalidArgumentError(f"{name} must be positive and finite; got {value!r}.")
    weights = tuple(arrays[name] for name in names)
    return StoredNetwork(
        weights,
        1.0 if scale is None else scale,
        asked,
        {name: array for name, array in arrays.items() if name.startswith(PREFIX)},
        str(arrays.get(_ACTIVATION, "relu")) if activation is None else activation,
        _biases(arrays, weights),
        input_scale=1.0 if input_scale is None else input_scale,
        model={name: array for name, array in arrays.items() if name.startswith(_MODEL)},
        **_input_map(arrays, weights[0]),
    )


def _input_map(arrays: Mapping[str, np.ndarray], first: np.ndarray) -> dict[str, Any]:
    found, mean = str(arrays.get(_INPUT_MAP, "affine")), arrays.get(_INPUT_MEAN)
    if found not in INPUT_MAPS:
        raise InvalidArgumentError(f"input_map must be {' or '.join(INPUT_MAPS)}; got {found!r}.")
    if found != "affine" and {_INPUT_MEAN, "input_scale"} & set(arrays):
        raise InvalidArgumentError(f"input_mean and input_scale are of the affine map; the file says {found}.")
    if mean is not None:
        _check_vector(_INPUT_MEAN, mean, first.shape[-1] if first.ndim else 0)
    return {"input_map": found, "input_mean": mean}


def _biases(arrays: Mapping[str, np.ndarray], weights: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    if not any(name.startswith(_BIAS) for name in arrays):
        return ()
    found = tuple(arrays.get(f"{_BIAS}{k}", np.zeros(len(w))) for k, w in enumerate(weights))
    for k, (bias, w) in enumerate(zip(found, weights, strict=True)):
        _check_vector(f"{_BIAS}{k}", bias, len(w))
    return found


def _check_vector(name: str, vector: np.ndarray, size: int) -> None:
    if vector.shape != (size,) or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
        raise InvalidArgumentError(f"{name} must be {size} finite numbers; got {vector.dtype}, {vector.shape}.")


def _number(name: str, array: np.ndarray | None) -> float | None:
    if array is None:
        return None
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise InvalidArgumentError(f"{name} must be one number; got {array.dtype} of shape {array.shape}.")
    return float(array.reshape(()))
