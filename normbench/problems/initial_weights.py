"""Initial weights, drawn in NumPy by seed, so that every backend starts from the same bits."""

import math

import numpy as np

from normbench.networks.base import Shape
from normbench.problems.problem import Weights

LARGE = 1024
WEIGHT_STREAM = 1  # seeds the weights apart from the split, which uses the bare seed


def xavier_uniform(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on +-sqrt(6 / (fan_in + fan_out)); the fans of a kernel count its positions."""
    return tuple(rng.uniform(-1.0, 1.0, size=s) * np.sqrt(6.0 / ((s[0] + s[1]) * math.prod(s[2:]))) for s in shapes)


def semi_orthogonal(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on semi-orthogonal matrices, singular values sqrt(d_k / d_{k-1}) (Algorithm 1 of 2304.05187).

    Every position of a kernel is such a matrix, with singular values divided by sqrt(height width) (appendix B).
    """
    return tuple(
        np.moveaxis(
            np.stack([_semi_orthogonal(s[0], s[1], rng) for _ in range(math.prod(s[2:]))]).reshape(*s[2:], *s[:2]),
            (-2, -1),
            (0, 1),
        )
        / np.sqrt(math.prod(s[2:]))
        for s in shapes
    )


def _semi_orthogonal(fan_out: int, fan_in: int, rng: np.random.Generator) -> np.ndarray:
    size = max(fan_in, fan_out)
    if size > LARGE:  # the thin factor is as uniform, and a square one of a vocabulary would not fit into memory
        thin, upper = np.linalg.qr(rng.normal(size=(size, min(fan_in, fan_out))))
        thin *= np.sign(np.diag(upper))
        return (thin if fan_out >= fan_in else thin.T) * np.sqrt(fan_out / fan_in)
    from scipy.stats import ortho_group

    square = ortho_group.rvs(size, random_state=rng) if size > 1 else np.sign(rng.normal(size=(1, 1)))
    return square[:fan_out, :fan_in] * np.sqrt(fan_out / fan_in)
