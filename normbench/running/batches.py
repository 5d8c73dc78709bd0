"""The order of mini-batches, from NumPy by seed: the same for every backend."""

from collections.abc import Iterator

import numpy as np

from normbench.errors import InvalidArgumentError, argument

BATCH_STREAM = 2  # seeds the order of the samples apart from the split and the initial weights


def batches(samples: int, size: int, *, seed: int) -> Iterator[np.ndarray]:
    """Row numbers of one mini-batch after the other, without end.

    Every epoch is a new permutation of all samples; an incomplete last batch is left out.

    Raises
    ------
    InvalidArgumentError
        If a batch is larger than the training set.
    """
    if size > samples:
        raise InvalidArgumentError(
            f"{argument('batch_size', size)} is larger than the training set of {samples} samples."
        )
    rng = np.random.default_rng([seed, BATCH_STREAM])
    while True:
        order = rng.permutation(samples)
        for start in range(0, samples - size + 1, size):
            yield order[start : start + size]
