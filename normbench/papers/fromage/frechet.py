"""How far generated images are from real ones: Fréchet distance of Gaussians (arXiv 1706.08500), and a linear judge.

The paper's FID takes the features of an Inception network, which knows photographs; here the features are principal
components of the real images, so that the numbers are no FID and compare with themselves only.
"""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Mean, shape (d,), and covariance, shape (d, d), of features."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray) -> Moments:
    """Of features with the samples first, shape (samples, d)."""
    return Moments(features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians.

    ||m_a - m_b||^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    The trace of the root is that of (C_a^(1/2) C_b C_a^(1/2))^(1/2), a symmetric matrix: it needs no inverse and gives
    real numbers where a covariance is singular.
    """
    sizes, axes = np.linalg.eigh(a.covariance)
    root = (axes * np.sqrt(np.maximum(sizes, 0.0))) @ axes.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0)).sum()
    apart = np.square(a.mean - b.mean).sum()
    return float(apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * shared)


class Judge:
    """Compares images with the real ones that it is made from.

    Parameters
    ----------
    images : array, shape (samples, ...)
        Real ones.
    classes : array, shape (samples, classes)
        Their one-hot rows.
    components : int
        How many principal components of the real images are the features.

    Attributes
    ----------
    explained : float
        Share of the real images' variance that lies in these components.
    """

    def __init__(self, images: np.ndarray, classes: np.ndarray, *, components: int) -> None:
        flat = _flat(images)
        _, singular, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
        self.explained = float(np.square(singular[:components]).sum() / np.square(singular).sum())
        self._axes = axes[:components].T
        self._real = moments(flat @ self._axes)
        self._regression = np.linalg.lstsq(_with_one(flat), classes, rcond=None)[0]

    def distance(self, images: np.ndarray) -> float:
        """Squared Fréchet distance to the real images, in squared units of a pixel; NaN if a pixel is not finite."""
        flat = _flat(images)
        return frechet_distance(self._real, moments(flat @ self._axes)) if np.isfinite(flat).all() else float("nan")

    def accuracy(self, images: np.ndarray, classes: np.ndarray) -> float:
        """Share of images that least squares on the real ones puts into their class; NaN as for the distance."""
        flat = _flat(images)
        if not np.isfinite(flat).all():
            return float("nan")
        found = (_with_one(flat) @ self._regression).argmax(axis=1)
        return float(np.mean(found == classes.argmax(axis=1)))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _with_one(flat: np.ndarray) -> np.ndarray:
    return np.column_stack([flat, np.ones(len(flat))])
