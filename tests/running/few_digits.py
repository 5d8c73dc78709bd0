"""Runs on a few of the digits, in every backend and on both paths, and how far they are apart."""

from functools import cache
from typing import Any

import numpy as np

from normbench.backends.trajectory import Trajectory
from normbench.data.dataset import Dataset
from normbench.problems import tasks
from normbench.running.request import Asked, RunRequest
from normbench.running.run import problem_of
from normbench.running.validation import trajectory_of
from tests.agreement.comparison import deviation_of

ITERATIONS = 15
PROTOCOL = {"batch_size": 16, "iterations": 30}  # with mini-batches
HIDDEN = {"digits": (20, 12), "digits-conv": (4, 6), "digits-xent": (20, 12), "digits-conv-xent": (4, 6)}


@cache
def few_digits() -> Dataset:
    """120 images, as many of every class as of all of them."""
    return tasks.get("digits").dataset().take(np.arange(0, 1797, 15))


def asked(task: str, optimiser: str, backend: str, **changes: Any) -> RunRequest:
    """A request at float64 for a narrow network: the reference decomposes matrices a hundred times an iteration."""
    layers = tasks.get(task).layers(few_digits(), HIDDEN[task])
    fields = {"layers": layers, "dtype": "float64", "seed": 0, "iterations": ITERATIONS}
    return Asked(**{"task": task, "optimiser": optimiser, "backend": backend} | fields | changes).resolved()


def trained(task: str, optimiser: str, backend: str, path: str = "fast", **changes: Any) -> Trajectory:
    return trajectory_of(asked(task, optimiser, backend, **changes), few_digits(), path)


@cache
def _reference(task: str, optimiser: str, hyperparameters: tuple[tuple[str, Any], ...], **changes: Any) -> Trajectory:
    return trained(task, optimiser, "reference", hyperparameters=dict(hyperparameters), **changes)


def of_the_reference(task: str, optimiser: str, hyperparameters: dict[str, Any], **changes: Any) -> Trajectory:
    """Computed once for all backends and paths."""
    return _reference(task, optimiser, tuple(hyperparameters.items()), **changes)


def assert_same_run(found: Trajectory, expected: Trajectory, wanted: RunRequest, rtol: float = 1e-9) -> None:
    """Losses, step sizes, weights, and the way that the weights have come, layer by layer."""
    assert (found.status, found.reason) == (expected.status, expected.reason)
    assert deviation_of(found, expected) <= rtol
    start = problem_of(wanted, few_digits()).weights
    for layer, (a, b, first) in enumerate(zip(found.weights, expected.weights, start, strict=True)):
        way = np.linalg.norm(b - first)
        assert way > 1e-6 * np.linalg.norm(first), f"layer {layer} has not moved"
        assert np.linalg.norm(a - b) <= rtol * way, f"layer {layer}: {np.linalg.norm(a - b) / way:.1e} of its way"
