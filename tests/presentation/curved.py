"""Records with chosen curves, and the few of them that table 1 is made of."""

import math

import numpy as np
import pytest

from normbench.running.result import Curves


def curved(make, optimiser, *, seed, iterations=4, scale=1.0, **changes):
    """A record whose loss falls as 1 / (k + 1), its test loss being a tenth higher, and whose RMS is 2 sqrt(loss)."""
    loss = scale / np.arange(1.0, iterations + 2)
    known = Curves(
        loss=tuple(loss),
        step_size=tuple(0.1 * scale / np.arange(1.0, iterations + 1)),
        test_iterations=(0, iterations),
        test_loss=(1.1 * loss[0], 1.1 * loss[-1]),
    )
    figures = {"train_loss": loss[-1], "train_rms": 2.0 * math.sqrt(loss[-1])}
    return make(optimiser, seed=seed, iterations=iterations, curves=known, **figures, **changes)


@pytest.fixture(scope="session")
def table1_runs(make):
    settings = [("method1", 0, 1.0), ("method1", 1, 1.5), ("method1", 2, 4.0), ("method2", 0, 2.0), ("method2", 1, 2.5)]
    return [curved(make, optimiser, seed=seed, scale=scale) for optimiser, seed, scale in settings]
