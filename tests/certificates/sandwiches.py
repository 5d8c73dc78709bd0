"""Random sandwich networks, their factors and their plain weights."""

import itertools

import numpy as np


def sandwich_weights(seed, *widths, gain=1.0):
    """Plain weights, and a, b, psi and gain with [A B] [A B]^T = I up to rounding."""
    rng = np.random.default_rng(seed)
    a, b, psi = [], [], []
    for before, width in itertools.pairwise(widths[:-1]):
        rows = np.linalg.qr(rng.normal(size=(width + before, width)))[0].T
        a.append(rows[:, :width])
        b.append(rows[:, width:])
        psi.append(np.exp(rng.normal(size=width)))
    wide = max(widths[-2:])
    b.append(np.linalg.qr(rng.normal(size=(wide, wide)))[0][: widths[-1], : widths[-2]])
    weights = []
    for k, factor in enumerate(b):
        weight = factor if k == 0 else factor @ a[k - 1].T * psi[k - 1] * 2**0.5
        weights.append(weight * gain if k == len(b) - 1 else weight / psi[k][:, None] * 2**0.5)
    return weights, {"a": a, "b": b, "psi": psi, "gain": gain}
