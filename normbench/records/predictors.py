"""What no optimiser is needed for: the zero, mean and linear least-squares predictors on a run's own split."""

from functools import lru_cache

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.splits import split_indices
from normbench.normalisation import unit_inputs

NAMES = ("zero", "mean", "linear")


def error_rms(targets: np.ndarray, predicted: np.ndarray) -> float:
    """Root-mean-square error norm sqrt(mean ||y - yhat||^2), in the unit of ``targets``."""
    return float(np.sqrt(np.mean(np.sum((targets - predicted) ** 2, axis=1))))


@lru_cache(maxsize=256)
def trivial_predictors(dataset: Dataset, *, split: str, seed: int) -> dict[str, dict[str, float]]:
    """Training and test RMS of the trivial predictors, fitted on the training part only.

    zero    yhat = 0
    mean    yhat = mean of the training outputs
    linear  yhat = B x / ||x||, B by least squares without intercept: the networks see the same unit-norm
            inputs and have no biases either

    Parameters
    ----------
    dataset : Dataset
    split : str
        "random" or "blocked".
    seed : int
        Seed of the split; a run of the same seed has the same parts.

    Returns
    -------
    mapping of {"zero", "mean", "linear"} to mapping of {"train", "test"} to float
        RMS in the unit of the data.
    """
    indices = split_indices(dataset, rule=split, seed=seed)
    inputs = unit_inputs(dataset.inputs)
    outputs = dataset.outputs
    average = outputs[indices.train].mean(axis=0)
    slope, *_ = np.linalg.lstsq(inputs[indices.train], outputs[indices.train], rcond=None)
    predictions = {"zero": np.zeros_like(outputs), "mean": np.broadcast_to(average, outputs.shape)}
    predictions["linear"] = inputs @ slope
    return {
        name: {
            "train": error_rms(outputs[indices.train], predicted[indices.train]),
            "test": error_rms(outputs[indices.test], predicted[indices.test]),
        }
        for name, predicted in predictions.items()
    }
