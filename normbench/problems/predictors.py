"""What no optimiser is needed for: the zero, mean and linear least-squares predictors on a run's own split."""

from functools import lru_cache

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.splits import TEST, split_indices
from normbench.problems.scaling import unit_inputs

NAMES = ("zero", "mean", "linear")


def error_rms(targets: np.ndarray, predicted: np.ndarray) -> float:
    """Root-mean-square error norm sqrt(mean ||y - yhat||^2), in the unit of ``targets``."""
    return float(np.sqrt(np.mean(np.sum((targets - predicted) ** 2, axis=1))))


@lru_cache(maxsize=256)
def trivial_predictors(
    dataset: Dataset, *, split: str, seed: int, judged_on: str = TEST
) -> dict[str, dict[str, float]]:
    """Training and test RMS of the trivial predictors, fitted on the training part only; for classes accuracy, too.

    zero    yhat = 0
    mean    yhat = mean of the training outputs: for classes their shares
    linear  yhat = B x / ||x||, B by least squares without intercept: the networks see the same unit-norm
            inputs and have no biases either; not for outputs that are numbers of classes, or tokens

    Parameters
    ----------
    dataset : Dataset
    split : str
        One of :data:`normbench.data.splits.RULES`.
    seed : int
        Seed of the split; a run of the same seed has the same parts.
    judged_on : str
        One of :data:`normbench.data.splits.JUDGED_ON`: what ``test`` stands for.

    Returns
    -------
    mapping of {"zero", "mean", "linear"} to mapping of str to float
        ``train`` and ``test``: RMS in the unit of the data; ``train_accuracy`` and ``test_accuracy`` for classes. Of
        ``linear`` also ``gain``: its Lipschitz constant ||B||_op as a map of unit-norm inputs, in the unit of the data,
        which is what a bound that is asked for is to be held against.
    """
    indices = split_indices(dataset, rule=split, seed=seed, judged_on=judged_on)
    parts = {"train": indices.train, "test": indices.test}
    if np.issubdtype(dataset.outputs.dtype, np.integer):
        return _of_numbers(dataset, parts)
    inputs = unit_inputs(dataset.inputs.reshape(len(dataset.inputs), -1))
    outputs = dataset.outputs
    average = outputs[indices.train].mean(axis=0)
    slope, *_ = np.linalg.lstsq(inputs[indices.train], outputs[indices.train], rcond=None)
    predictions = {"zero": np.zeros_like(outputs), "mean": np.broadcast_to(average, outputs.shape)}
    predictions["linear"] = inputs @ slope
    found = {}
    for name, predicted in predictions.items():
        found[name] = {part: error_rms(outputs[rows], predicted[rows]) for part, rows in parts.items()}
        if dataset.classes:
            right = predicted.argmax(axis=1) == outputs.argmax(axis=1)
            found[name] |= {f"{part}_accuracy": float(right[rows].mean()) for part, rows in parts.items()}
    found["linear"]["gain"] = float(np.linalg.norm(slope, 2))
    return found


def _of_numbers(dataset: Dataset, parts: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """zero and mean for integer outputs: with shares p, ||p - y||^2 = sum p^2 - 2 p_y + 1."""
    counts = np.bincount(dataset.outputs[parts["train"]].ravel(), minlength=len(dataset.classes))
    shares = counts / counts.sum()
    found = {}
    for name, p in (("zero", np.zeros_like(shares)), ("mean", shares)):
        found[name] = {
            part: float(np.sqrt(np.mean(np.square(p).sum() - 2 * p[dataset.outputs[rows]] + 1)))
            for part, rows in parts.items()
        }
        found[name] |= {
            f"{part}_accuracy": float(np.mean(dataset.outputs[rows] == p.argmax())) for part, rows in parts.items()
        }
    return found
