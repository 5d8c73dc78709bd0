"""Small tables, and estimators that are quick to fit: NumPy alone, few weights."""

import numpy as np

QUICK = {"backend": "reference", "hidden": (6, 5), "max_iter": 40, "tol": 0.0}


CENTRE = np.array([100.0, -3.0, 0.0, 7.0])


def flights(*, samples=200, seed=0):
    """Columns of very different means, and two outputs with a kink, in steps of up to 40 per unit of X."""
    z = np.random.default_rng(seed).normal(size=(samples, 4)) * [3.0, 1.0, 0.5, 2.0]
    return z + CENTRE, np.stack([500 + 12 * np.abs(z[:, 0]) + 4 * z[:, 1], 5 * z[:, 3] * z[:, 2] - 2], axis=1)


def rings(*, samples=150, seed=0):
    """Three classes, by the distance from a point."""
    x = np.random.default_rng(seed).uniform(-2, 2, size=(samples, 2))
    distance = np.linalg.norm(x, axis=1)
    return x + np.array([5.0, -5.0]), np.array(["near", "middle", "far"])[np.digitize(distance, [1.0, 1.7])]


def gains(model_outputs, x, *, seed=0):
    """||f(x) - f(x')|| / ||x - x'|| of pairs from far to near, in the units of the table."""
    rng = np.random.default_rng(seed)
    first = x[rng.integers(len(x), size=4000)]
    spread = np.ptp(x, axis=0).max()
    second = first + rng.normal(size=first.shape) * np.geomspace(1e-3, 3.0, len(first))[:, None] * spread
    change = model_outputs(first) - model_outputs(second)
    return np.linalg.norm(change.reshape(len(first), -1), axis=1) / np.linalg.norm(first - second, axis=1)
