"""Initial weights, drawn in NumPy by seed, so that every backend starts from the same bits.

What a task scales them to comes after (:mod:`normbench.problems.scaling`) and keeps directions alone: every layer is
put onto its sphere, or to its operator norm. So He's normal weights (arXiv 1502.01852), which are Xavier's times a
constant of the layer, would be ``xavier_normal`` once more and have no name here.
"""

import math
from collections.abc import Callable

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.networks.base import Shape
from normbench.problems.problem import Weights
from normbench.specs.base import Normalisation

LARGE = 1024
USUAL = "usual"  # what the normalisation asks for, see :func:`usual`
WEIGHT_STREAM = 1  # seeds the weights apart from the split, which uses the bare seed


def xavier_uniform(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on +-sqrt(6 / (fan_in + fan_out)); the fans of a kernel count its positions."""
    return tuple(rng.uniform(-1.0, 1.0, size=s) * np.sqrt(6.0 / ((s[0] + s[1]) * math.prod(s[2:]))) for s in shapes)


def xavier_normal(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Normal weights of variance 2 / (fan_in + fan_out), that of :func:`xavier_uniform`: uniform on a sphere then."""
    return tuple(rng.normal(size=s) * np.sqrt(2.0 / ((s[0] + s[1]) * math.prod(s[2:]))) for s in shapes)


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


def delta_orthogonal(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """As :func:`semi_orthogonal`, of a kernel the middle alone, the other positions zero (arXiv 1806.05393, section 4).

    Images then pass as through a dense layer at every pixel, however deep the network. In the first steps of AGD, which
    moves every position by its own norm, the zero ones move by infinitely much of what they were.
    """
    weights = []
    for s in shapes:
        kernel = np.zeros(s)
        middle: tuple[int | slice, ...] = (slice(None), slice(None), *(size // 2 for size in s[2:]))
        kernel[middle] = _semi_orthogonal(s[0], s[1], rng)
        weights.append(kernel)
    return tuple(weights)


INITIALISATIONS: dict[str, Callable[[tuple[Shape, ...], np.random.Generator], Weights]] = {
    "xavier": xavier_uniform,
    "xavier_normal": xavier_normal,
    "orthogonal": semi_orthogonal,
    "delta_orthogonal": delta_orthogonal,
}


def usual(normalisation: Normalisation) -> str:
    """What is drawn where nobody says: uniform Xavier, or what prescription 1 of arXiv 2304.05187 asks for."""
    return "orthogonal" if normalisation is Normalisation.PRESCRIPTION else "xavier"


def check(shapes: tuple[Shape, ...], initialisation: str) -> None:
    """Raise unless weights of these shapes can be drawn so.

    Raises
    ------
    InvalidArgumentError
        If there is no such initialisation, or another one gives the same weights.
    """
    if initialisation not in INITIALISATIONS:
        known = ", ".join(INITIALISATIONS)
        raise InvalidArgumentError(f"initialisation must be one of {known}; got {initialisation!r}.")
    if initialisation == "delta_orthogonal" and all(len(s) == 2 for s in shapes):
        raise InvalidArgumentError(
            "initialisation delta_orthogonal is about kernels, and the network has none. Choose orthogonal: the same."
        )


def draw(shapes: tuple[Shape, ...], *, seed: int, initialisation: str) -> Weights:
    """Weights of these shapes by seed; errors as :func:`check`."""
    check(shapes, initialisation)
    return INITIALISATIONS[initialisation](shapes, np.random.default_rng([seed, WEIGHT_STREAM]))


def _semi_orthogonal(fan_out: int, fan_in: int, rng: np.random.Generator) -> np.ndarray:
    size = max(fan_in, fan_out)
    if size == 1:
        return np.sign(rng.normal(size=(1, 1)))
    # Up to LARGE it is what scipy.stats.ortho_group draws, whose import takes two seconds. Beyond, a square matrix of a
    # vocabulary would not fit into memory, and the thin factor is as uniform.
    whole = size <= LARGE
    factor, upper = np.linalg.qr(rng.normal(size=(size, size if whole else min(fan_in, fan_out))))
    factor *= np.sign(np.diag(upper))
    turned = factor if whole or fan_out >= fan_in else factor.T
    return turned[:fan_out, :fan_in] * np.sqrt(fan_out / fan_in)
