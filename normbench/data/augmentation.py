"""Training images cropped and mirrored at random: the "standard data augmentation" of arXiv 2304.05187, section 3.3.

The paper says no more. The code that its authors published, and that of arXiv 2002.03432, pads CIFAR's images by 4
pixels, crops them and mirrors half of them (jxbz/agd, ``data/cifar10.py``; jxbz/fromage, ``classify-cifar/main.py``).
"""

from collections.abc import Callable, Mapping

import numpy as np

from normbench.errors import InvalidArgumentError, argument

NONE, CROP_FLIP = "none", "crop_flip"
PADDING = 4  # pixels on every side


def check(augmentation: str, shape: tuple[int, ...], *, batch_size: int | None) -> None:
    """Raise where samples of this shape are no images, or come in no mini-batches, to be augmented.

    Raises
    ------
    InvalidArgumentError
    """
    if augmentation == NONE:
        return
    if len(shape) != 3:
        raise InvalidArgumentError(
            f"{argument('augmentation', augmentation)} is for images, of channels, height and width; got samples of "
            f"shape {shape}. Leave it out."
        )
    if batch_size is None:
        raise InvalidArgumentError(
            f"{argument('augmentation', augmentation)} draws anew for every mini-batch; got none. Choose "
            f"{argument('batch_size')}, such as 128, or leave it out."
        )


def crop_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images that are shifted by up to 4 pixels along both axes, zeros coming in, and mirrored with probability 1/2.

    That is a crop of the old size from the image padded by 4 zeros, every position equally likely. Where it holds
    nothing but zeros, which have no direction, the image stays as it is.

    Parameters
    ----------
    images : array, shape (samples, channels, height, width)
    rng : numpy.random.Generator

    Returns
    -------
    array of the same shape and dtype
    """
    samples, channels, height, width = images.shape
    top, left = rng.integers(2 * PADDING + 1, size=(2, samples, 1))
    mirrored = rng.random((samples, 1)) < 0.5
    padded = np.pad(images, [(0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING)])
    rows = top + np.arange(height)
    columns = left + np.where(mirrored, np.arange(width)[::-1], np.arange(width))
    found: np.ndarray = padded[
        np.arange(samples)[:, None, None, None],
        np.arange(channels)[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    empty = ~found.any(axis=(1, 2, 3))
    found[empty] = images[empty]
    return found


AUGMENTATIONS: Mapping[str, Callable[[np.ndarray, np.random.Generator], np.ndarray] | None] = {
    NONE: None,
    CROP_FLIP: crop_flip,
}
"""By name: (images, random numbers) -> images of the same shape; None where they stay as they are."""
