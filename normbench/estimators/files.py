"""An estimator in the file of its network: parameters, classes and names beside the weights, without pickle.

model_about           JSON: class, parameters, provenance, and of a regressor whether y was a vector or a matrix
model_loss_curve      (iterations + 1,)
model_validation_loss_curve   the same of what was held out, where something was
model_classes         of a classifier
model_feature_names   where the table had them
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import is_classifier

from normbench.certificates import from_arrays
from normbench.certificates.stored import StoredNetwork, read
from normbench.errors import CertificateError, DataError, InvalidArgumentError
from normbench.exports.network import CLASSES, FEATURE_NAMES
from normbench.numbers import as_number

if TYPE_CHECKING:
    from normbench.estimators.base import LipschitzEstimator

_ABOUT, _LOSSES, _HELD_OUT = "model_about", "model_loss_curve", "model_validation_loss_curve"

Estimator = TypeVar("Estimator", bound="LipschitzEstimator")


def save(estimator: "LipschitzEstimator", path: Path) -> None:
    """Write a fitted estimator.

    Raises
    ------
    OutputError
        If the file cannot be written.
    InvalidArgumentError
        If a parameter or a class is neither number nor text.
    """
    stored(estimator).write(path)


def stored(estimator: "LipschitzEstimator") -> StoredNetwork:
    """The network of a fitted estimator with everything that its file holds.

    Raises
    ------
    InvalidArgumentError
        If a parameter or a class is neither number nor text, or a parameter was changed since the fit.
    """
    about = {
        "class": type(estimator).__name__,
        "parameters": {name: _plain(name, value) for name, value in estimator.get_params().items()},
        "provenance": estimator.provenance_,
    }
    _check_unchanged(estimator)
    if hasattr(estimator, "y_dimensions_"):
        about["y_dimensions"] = estimator.y_dimensions_
    arrays = {_ABOUT: np.array(json.dumps(about)), _LOSSES: estimator.loss_curve_}
    if estimator.validation_loss_curve_ is not None:
        arrays[_HELD_OUT] = estimator.validation_loss_curve_
    if hasattr(estimator, "classes_"):
        arrays[CLASSES] = _without_objects("classes", estimator.classes_)
    if hasattr(estimator, "feature_names_in_"):
        arrays[FEATURE_NAMES] = _without_objects("feature names", estimator.feature_names_in_)
    return replace(estimator.network_, model=arrays)


def _check_unchanged(estimator: "LipschitzEstimator") -> None:
    """Raise where the parameters are not those of the fit: the file would not say what made its network."""
    for name, value in estimator.get_params(deep=False).items():
        before = estimator._fitted_with[name]
        if value is not before and not np.array_equal(value, before):
            raise InvalidArgumentError(
                f"parameter {name} was set to {value!r} after the fit with {before!r}. Fit again, or set it back."
            )


def load(kind: type[Estimator], path: Path) -> Estimator:
    """The estimator in a file, whose certificate holds for its weights.

    Raises
    ------
    DataError
        If there is none of this class.
    CertificateError
        If the certificate proves no such bound, or a wider one than ``lipschitz``.
    """
    network = read(path)
    try:
        about = json.loads(str(network.model[_ABOUT]))
        if about["class"] != kind.__name__:
            raise DataError(f"{path} holds a {about['class']}, no {kind.__name__}.")
        found = _restored(kind, network, about)
    except (KeyError, TypeError, CertificateError, json.JSONDecodeError) as error:
        raise DataError(f"{path} holds a network and no {kind.__name__}: {error!r}.") from error
    if missing := _lacks(found):
        raise DataError(f"{path} holds no whole {kind.__name__}: {missing}. It was edited or damaged; fit it again.")
    found.verify()
    if found.lipschitz_bound_ > found.lipschitz:
        raise CertificateError(f"only {found.lipschitz_bound_!r} is proven, and lipschitz is {found.lipschitz!r}.")
    return found


def _lacks(estimator: Any) -> str:
    """What of a file does not fit its network, or ""."""
    network = estimator.network_
    columns, outputs = network.weights[0].shape[1], len(network.weights[-1])
    if network.activation != "relu":
        return f"its activation is {network.activation}, and estimators have relu"
    if len(network.biases) != len(network.weights):
        return f"it has {len(network.biases)} biases for {len(network.weights)} layers"
    if len(getattr(estimator, "feature_names_in_", range(columns))) != columns:
        return f"it has {len(estimator.feature_names_in_)} feature names for {columns} columns"
    if is_classifier(estimator):
        classes = len(getattr(estimator, "classes_", ()))
        return "" if classes == outputs else f"it has {classes} classes for {outputs} outputs"
    dimensions = getattr(estimator, "y_dimensions_", None)
    fits = dimensions == 2 or (dimensions == 1 and outputs == 1)
    return "" if fits else f"y has {dimensions} dimensions for {outputs} outputs"


def _restored(kind: type[Estimator], network: StoredNetwork, about: dict[str, Any]) -> Estimator:
    parameters: dict[str, Any] = _with_tuples(about["parameters"])
    estimator = kind(**parameters)
    estimator.network_ = replace(network, model={})
    estimator.certificate_ = from_arrays(network.witness)
    estimator.lipschitz_bound_ = estimator.certificate_.bound
    estimator.loss_curve_ = network.model[_LOSSES]
    estimator.validation_loss_curve_ = network.model.get(_HELD_OUT)
    estimator.n_iter_ = len(estimator.loss_curve_) - 1
    estimator.provenance_ = dict(about["provenance"])
    estimator._fitted_with = estimator.get_params(deep=False)
    estimator.n_features_in_ = network.weights[0].shape[1]
    if "y_dimensions" in about:
        estimator.y_dimensions_ = about["y_dimensions"]
    for attribute, name, dtype in (("classes_", CLASSES, None), ("feature_names_in_", FEATURE_NAMES, object)):
        if name in network.model:
            setattr(estimator, attribute, network.model[name].astype(dtype or network.model[name].dtype))
    return estimator


def _with_tuples(value: Any) -> Any:
    """What JSON has as lists as the tuples that they were."""
    if isinstance(value, dict):
        return {name: _with_tuples(entry) for name, entry in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _without_objects(what: str, values: np.ndarray) -> np.ndarray:
    """As numbers or text; text that is kept as objects becomes an array of text."""
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        return values.astype(str)
    if values.dtype.kind not in "biufU":
        raise InvalidArgumentError(f"{what} of {values.dtype} cannot be stored: use numbers or text.")
    return values


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON has it; a RandomState is None, since the seed that it gave is in the provenance."""
    if isinstance(value, np.bool_):
        return bool(value)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, tuple | list):
        return [_plain(name, entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): _plain(name, entry) for key, entry in value.items()}
    if isinstance(value, np.random.RandomState):
        return None
    number = as_number(value)
    if number is None:
        raise InvalidArgumentError(f"parameter {name} cannot be stored: {value!r} is neither number nor text.")
    return number
