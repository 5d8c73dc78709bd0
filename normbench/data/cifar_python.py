"""CIFAR's Python version: pickles of Python 2, read by an unpickler that can make arrays and nothing else."""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct  # what NumPy 1's numpy.core.multiarray._reconstruct became

from normbench.errors import DataError

_ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]


def read_batches(contents: Mapping[str, bytes]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and names of the classes.

    Parameters
    ----------
    contents : mapping of str to bytes
        The pickles by name: the training batches in order, the test batch, the names.

    Returns
    -------
    images : array of uint8, shape (samples, 3072)
        Training batches first.
    labels : array of int64, shape (samples,)
        The fine ones where there are two kinds.
    classes : tuple of str

    Raises
    ------
    DataError
        If a pickle is damaged, asks for anything but arrays, or lacks a part.
    """
    images, labels, classes = [], [], None
    for name, content in contents.items():
        batch = _unpickled(name, content)
        if name.endswith("meta"):
            classes = tuple(map(str, _part(name, batch, "fine_label_names", "label_names")))
            continue
        images.append(np.asarray(_part(name, batch, "data"), np.uint8))
        labels.append(np.asarray(_part(name, batch, "fine_labels", "labels"), np.int64))
        if images[-1].ndim != 2 or len(images[-1]) != len(labels[-1]):
            raise DataError(f"{name} has images of shape {images[-1].shape} and {len(labels[-1])} labels.")
    if classes is None or not images:
        raise DataError(f"no images, or no names of classes, in {', '.join(contents)}.")
    return np.concatenate(images), np.concatenate(labels), classes


def _unpickled(name: str, content: bytes) -> dict[str, Any]:
    try:
        found = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a broken pickle may raise anything
        raise DataError(f"{name} is not a pickle of arrays ({error}). Download the archive again.") from error
    if not isinstance(found, dict):
        raise DataError(f"{name} holds {type(found).__name__}; expected a dictionary.")
    return found


def _part(name: str, batch: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if key in batch:
            return batch[key]
    raise DataError(f"{name} has no {' or '.join(keys)}; found {', '.join(map(str, batch))}.")
