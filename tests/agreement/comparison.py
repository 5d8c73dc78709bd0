"""How far a run is from the reference's: the one means of comparison, for every path, backend and problem."""

from collections.abc import Sequence

import numpy as np

from normbench.backends.trajectory import Trajectory

TIGHT = 1e-10  # at float64, over some tens of steps


def deviation(
    expected: Trajectory, losses: Sequence[float], step_sizes: Sequence[float], weights: Sequence[np.ndarray]
) -> float:
    """Largest deviation: of losses relatively, of steps to the longest one, of every weight to its norm.

    What is not finite raises, and so does another number of steps or another shape.
    """
    steps = np.subtract(step_sizes, expected.step_size) / np.max(expected.step_size)
    relative = [np.subtract(losses, expected.loss) / expected.loss, steps]
    for found, wanted in zip(weights, expected.weights, strict=True):
        assert found.shape == wanted.shape
        relative.append([np.linalg.norm(found - wanted) / np.linalg.norm(wanted)])
    everything = np.abs(np.concatenate(relative))
    assert np.isfinite(everything).all()
    return float(everything.max())


def deviation_of(found: Trajectory, expected: Trajectory) -> float:
    """Of one trainer's run from another's."""
    return deviation(expected, found.loss, found.step_size, found.weights)
