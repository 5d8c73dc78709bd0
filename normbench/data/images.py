"""What every set of labelled images shares: pixels in [0, 1], one-hot rows of classes, the published test set."""

import numpy as np

from normbench.data.dataset import Dataset
from normbench.errors import DataError


def image_dataset(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    classes: tuple[str, ...],
    brightest: int,
    dtype: type[np.floating],
    training: int | None,
) -> Dataset:
    """Data set of measured images that belong to one class each.

    x = image / brightest,   y_k = 1 if the label is k, else 0

    Parameters
    ----------
    name : str
        Registry key of the source.
    images : array of integers, shape (samples, channels, height, width)
        From 0 to ``brightest``.
    labels : array of integers, shape (samples,)
    classes : tuple of str
        Names of labels 0, 1, ...
    brightest : int
        Value that becomes 1.
    dtype : numpy.float32 or numpy.float64
        Of the inputs; float32 where an image set is large.
    training : int or None
        How many samples come before those of the published test set; None where there is none.

    Raises
    ------
    DataError
        If there are not as many labels as images, or a label has no class; else as :class:`Dataset`.
    """
    return Dataset(
        name=name,
        simulated=False,
        inputs=np.divide(images, dtype(brightest), dtype=dtype),
        outputs=one_hot(name, labels, samples=len(images), classes=len(classes)),
        classes=classes,
        official=None if training is None else np.arange(len(images)) >= training,
    )


def one_hot(name: str, labels: np.ndarray, *, samples: int, classes: int) -> np.ndarray:
    """Rows with a 1 at their label, float64, shape (samples, classes); parameters as :func:`image_dataset`."""
    if labels.shape != (samples,):
        raise DataError(f"data set {name!r} has labels of shape {labels.shape} for {samples} images.")
    unknown = (labels < 0) | (labels >= classes)
    if unknown.any():
        row = int(unknown.argmax())
        raise DataError(f"label of row {row} in data set {name!r} is {labels[row]}; expected 0 to {classes - 1}.")
    rows = np.zeros((samples, classes))
    rows[np.arange(samples), labels] = 1
    return rows
