"""Random networks of odd shapes and scales, and gains that no bound may be below."""

import itertools

import numpy as np

KINDS = ("plain", "layer scales", "rank one", "sparse", "dead layers", "row scales", "orthogonal", "signs", "any scale")


def gaussian(seed: int, *widths: int) -> list[np.ndarray]:
    """Weights of variance 1 / fan_in."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in itertools.pairwise(widths)]


def odd(seed: int) -> tuple[str, list[np.ndarray]]:
    """One to five layers of 1 to 11 units: by seed of every kind in turn."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    widths = rng.integers(1, 12, size=rng.integers(2, 7))
    return kind, [_changed(rng.normal(size=(b, a)), kind, rng) for a, b in itertools.pairwise(widths)]


def _changed(weight: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.random() < 0.3
    if kind == "layer scales":
        return weight * 10.0 ** rng.uniform(-30, 30)
    if kind == "rank one" and chosen:
        return np.outer(weight[:, 0], weight[0])
    if kind == "sparse":
        return weight * (rng.random(weight.shape) < 0.4)
    if kind == "dead layers" and chosen:
        return np.zeros_like(weight)
    if kind == "row scales":
        return weight * 10.0 ** rng.uniform(-15, 15, size=(len(weight), 1))
    if kind == "orthogonal":
        return np.linalg.qr(rng.normal(size=(12, 12)))[0][: len(weight), : weight.shape[1]]
    if kind == "signs":
        return np.sign(weight)
    return weight * 10.0 ** rng.uniform(-30, 30, size=weight.shape) if kind == "any scale" else weight


def largest_gain(weights: list[np.ndarray], seed: int, *, points: int = 60, climbs: int = 0) -> float:
    """Largest operator norm of the Jacobian of the ReLU network over random points.

    Each climb goes from the best points along the top right singular vectors, a little, and looks there.
    """
    x = np.random.default_rng(seed).normal(size=(points, weights[0].shape[1]))
    best = 0.0
    for _ in range(climbs + 1):
        jacobians = _jacobians(weights, x)
        _, tops, right = np.linalg.svd(jacobians)
        best = max(best, float(tops[:, 0].max()))
        x = x[np.argsort(-tops[:, 0])[: max(points // 4, 1)]].repeat(4, axis=0)
        x = x + 0.3 * np.random.default_rng(seed + 1).normal(size=x.shape)
        x[: len(right)] += 0.3 * right[: len(x), 0]
    return best


def _jacobians(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    found = np.broadcast_to(weights[0], (len(x), *weights[0].shape))
    with np.errstate(over="ignore", under="ignore"):
        for before, weight in itertools.pairwise(weights):
            x = x @ before.T
            found = weight @ (found * (x > 0.0)[:, :, None])
            x = np.maximum(x, 0.0)
    return found
