"""A plain network and its certificate in one NPZ file, without pickle.

f(x) = output_scale W_m rho(... rho(W_1 z + b_1) ...) + b_m, where z = (x - input_mean) / input_scale, or x / ||x||.

weight_0, weight_1, ...   (fan_out, fan_in) each, from the first layer to the last
bias_0, bias_1, ...       may be there; no bound depends on them
output_scale              what outputs are multiplied by, the last biases aside; 1 if it is not there
input_map                 affine or unit_norm, see :data:`INPUT_MAPS`; affine if it is not there
input_mean                (n_0,) of the affine map; zeros if it is not there
input_scale               of the affine map, one number or (n_0,), one for each input; 1 if it is not there
input_spread              (n_0,) of the affine map: bounds are per unit of x / input_spread; may be missing
lipschitz                 the bound that was asked for; may be missing
activation                its name, between all layers; relu if it is not there
witness_*                 the arrays of a certificate, see :meth:`normbench.certificates.Certificate.arrays`
model_*                   what an estimator keeps beside its network; no bound depends on it
"""

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from normbench.certificates.certificate import PREFIX
from normbench.certificates.plain import EXACT, plain
from normbench.certificates.rounding import rounded_up
from normbench.errors import DAMAGE, DataError, InvalidArgumentError
from normbench.writing import write_bytes

INPUT_MAPS = {
    "affine": "(x - input_mean) / input_scale",  # a bound over x is one over z by the smallest scale
    "unit_norm": "x / ||x||",  # bounds are over z
}

_WEIGHT, _BIAS, _MODEL = "weight_", "bias_", "model_"
_NUMBERS = ("output_scale", "lipschitz")
_SCALE, _SPREAD = _OF_INPUTS = ("input_scale", "input_spread")
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
    input_scale : float, or array of shape (n_0,)
    input_spread : array, shape (n_0,), or None
        Units of the inputs in which changes of x are measured, for bounds of inputs of very different sizes: ||x - x'||
        is then that of x / input_spread. None for x as it stands.
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
    input_scale: float | np.ndarray = 1.0
    input_spread: np.ndarray | None = None
    model: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def gain_scale(self) -> float:
        """What a bound of the weights alone is multiplied by, rounded up.

        output_scale max(input_spread / input_scale), over all inputs; without a spread its place is taken by 1.
        """
        return rounded_up(Fraction(abs(self.output_scale)) * max(self._steps))

    @property
    def least_gain_scale(self) -> float:
        """What a gain of the weights alone is multiplied by at least: as :attr:`gain_scale`, of the smallest ratio."""
        return float(Fraction(abs(self.output_scale)) * min(self._steps))

    @property
    def _steps(self) -> list[Fraction]:
        """How far z moves with each input where that moves by 1 as changes of x are measured."""
        scales = np.ravel(self.input_scale).tolist()
        spreads = [1.0] * len(scales) if self.input_spread is None else self.input_spread.tolist()
        return [Fraction(spread) / Fraction(scale) for spread, scale in zip(spreads, scales, strict=True)]

    def over_inputs(self, bound: float) -> float:
        """A bound in the unit of ``input_spread`` as one over x as it stands, rounded up: by the smallest spread.

        Every change of x by a distance d is one of at most d / min(input_spread) in that unit.
        """
        if self.input_spread is None or not math.isfinite(bound):
            return bound
        return rounded_up(Fraction(bound) / Fraction(float(self.input_spread.min())))

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
            arrays |= {_INPUT_MEAN: self.input_mean, _SCALE: np.array(self.input_scale)}
        if self.input_spread is not None:
            arrays[_SPREAD] = self.input_spread
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
        if not math.isfinite(found.gain_scale):
            raise InvalidArgumentError(
                f"output_scale, {found.output_scale!r}, over the smallest input_scale is beyond float64."
            )
    except InvalidArgumentError as error:
        raise DataError(f"{path} holds no network to certify: {error}") from error
    return found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            if len(file.files) > len(set(file.files)):
                raise ValueError("two of its arrays have one name")  # programs differ in which they take
            return {name: file[name] for name in file.files}
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        if "pickle" in reason.lower():
            reason = "it needs pickle, which can run any program; store arrays of numbers"
        raise DataError(f"{path} is no NPZ file of arrays: {reason}.") from error


def _network(arrays: Mapping[str, np.ndarray], activation: str | None) -> StoredNetwork:
    known = (_WEIGHT, _BIAS, PREFIX, _MODEL)
    single = (*_NUMBERS, *_OF_INPUTS, _ACTIVATION, _INPUT_MAP, _INPUT_MEAN)
    if strange := sorted(name for name in arrays if name not in single and not name.startswith(known)):
        raise InvalidArgumentError(
            f"it has {', '.join(strange)}; known are weight_0, weight_1, ..., bias_0, ..., {', '.join(single)}, "
            "witness_* and model_*."
        )
    count = sum(name.startswith(_WEIGHT) for name in arrays)
    names = [f"{_WEIGHT}{index}" for index in range(max(count, 1))]
    layers = {f"{_BIAS}{index}" for index in range(count)}
    if strange := sorted(name for name in arrays if name.startswith(_BIAS) and name not in layers):
        raise InvalidArgumentError(f"it has {', '.join(strange)}; biases are bias_0 to bias_{count - 1}, one a layer.")
    if missing := [name for name in names if name not in arrays]:
        raise InvalidArgumentError(f"it lacks {', '.join(missing)}; layers are counted from weight_0 without a gap.")
    scale, asked = (_number(name, arrays.get(name)) for name in _NUMBERS)
    if asked is not None and not 0.0 < asked < math.inf:
        raise InvalidArgumentError(f"lipschitz must be positive and finite; got {asked!r}.")
    weights = tuple(arrays[name] for name in names)
    return StoredNetwork(
        weights,
        1.0 if scale is None else scale,
        asked,
        {name: array for name, array in arrays.items() if name.startswith(PREFIX)},
        str(arrays.get(_ACTIVATION, "relu")) if activation is None else activation,
        _biases(arrays, weights),
        model={name: array for name, array in arrays.items() if name.startswith(_MODEL)},
        **_input_map(arrays, weights[0]),
    )


def _input_map(arrays: Mapping[str, np.ndarray], first: np.ndarray) -> dict[str, Any]:
    found, mean = str(arrays.get(_INPUT_MAP, "affine")), arrays.get(_INPUT_MEAN)
    if found not in INPUT_MAPS:
        raise InvalidArgumentError(f"input_map must be {' or '.join(INPUT_MAPS)}; got {found!r}.")
    if found != "affine" and {_INPUT_MEAN, *_OF_INPUTS} & set(arrays):
        raise InvalidArgumentError(f"input_mean and input_scale are of the affine map; the file says {found}.")
    inputs = first.shape[-1] if first.ndim else 0
    if mean is not None:
        _check_vector(_INPUT_MEAN, mean, inputs)
    scale, spread = (arrays.get(name) for name in _OF_INPUTS)
    if scale is not None and scale.ndim:
        _check_vector(_SCALE, scale, inputs)
    elif spread is not None:
        raise InvalidArgumentError("input_spread needs an input_scale for each of the inputs beside it.")
    if spread is not None:
        _check_vector(_SPREAD, spread, inputs)
    for name, values in ((_SCALE, scale), (_SPREAD, spread)):
        if values is not None and (values.dtype.kind not in "fiu" or not (np.isfinite(values) & (values > 0.0)).all()):
            raise InvalidArgumentError(f"{name} must be positive and finite; got {values.ravel()[:3].tolist()}.")
    number = None if scale is not None and scale.ndim else _number(_SCALE, scale)
    return {
        "input_map": found,
        "input_mean": mean,
        "input_scale": number or (1.0 if scale is None else scale.astype(np.float64)),
        "input_spread": None if spread is None else spread.astype(np.float64),
    }


def _biases(arrays: Mapping[str, np.ndarray], weights: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    if not any(name.startswith(_BIAS) for name in arrays):
        return ()
    found = tuple(arrays.get(f"{_BIAS}{k}", np.zeros(len(w))) for k, w in enumerate(weights))
    for k, (bias, w) in enumerate(zip(found, weights, strict=True)):
        _check_vector(f"{_BIAS}{k}", bias, len(w))
    return found


def _check_vector(name: str, vector: np.ndarray, size: int) -> None:
    if vector.shape != (size,) or not _fits(vector) or not np.isfinite(vector).all():
        raise InvalidArgumentError(
            f"{name} must be {size} finite numbers that float64 holds; got {vector.dtype}, {vector.shape}."
        )


def _number(name: str, array: np.ndarray | None) -> float | None:
    if array is None:
        return None
    if array.size != 1 or not _fits(array):
        raise InvalidArgumentError(
            f"{name} must be one number that float64 holds; got {array.dtype} of shape {array.shape}."
        )
    return float(array.reshape(()))


def _fits(array: np.ndarray) -> bool:
    """Whether float64 holds all that stands there: bounds are of the numbers in the file, not of rounded ones."""
    if array.dtype.kind in "iu":
        return bool((np.abs(array.astype(np.float64)) < EXACT).all())
    return array.dtype.kind == "f" and array.dtype.itemsize <= 8
