"""Mini-batches that are made one by one on the processor, while the one before is learned from: the same everywhere."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from normbench.data.augmentation import AUGMENTATIONS, CROP_FLIP, NONE
from normbench.data.streamed import StreamedImages
from normbench.errors import InvalidArgumentError, argument
from normbench.problems import tasks
from normbench.problems.problem import Part, Problem
from normbench.problems.scaling import unit_inputs
from normbench.running.batches import batches
from normbench.running.request import RunRequest

AUGMENTATION_STREAM = 8  # seeds what happens to images apart from which of them make a batch
AHEAD = 2  # batches that are made before they are asked for


def is_fed(augmentation: str | None, samples: Any) -> bool:
    """True where the samples of an iteration are not rows of the training set as they stand in memory."""
    return augmentation not in (None, NONE) or isinstance(samples, StreamedImages)


def feed_of(request: RunRequest, problem: Problem) -> Iterator[Part] | None:
    """Samples and targets of every iteration, or None where they are rows of the training set as they stand.

    An augmented image is normalised again, so that it has the norm of every other. What happens to those of an
    iteration is drawn from NumPy by seed and iteration.

    Raises
    ------
    InvalidArgumentError
        If images that are streamed are asked for without mini-batches, or with an augmentation that reads no files.
    """
    if not is_fed(request.augmentation, problem.x_train):
        return None
    if request.batch_size is None:
        raise InvalidArgumentError(
            f"the images of task {request.task!r} are read from files batch by batch; got none. Choose "
            f"{argument('batch_size')}, such as 128."
        )
    if isinstance(problem.x_train, StreamedImages) and request.augmentation not in (NONE, CROP_FLIP):
        raise InvalidArgumentError(
            f"the images of task {request.task!r} are cropped as they are read: {argument('augmentation')} must be "
            f"{NONE} or {CROP_FLIP}; got {request.augmentation!r}."
        )

    def make(iteration: int, rows: np.ndarray) -> Part:
        rng = np.random.default_rng([request.seed, AUGMENTATION_STREAM, iteration])
        return _augmented(request, problem, rows, rng), problem.y_train[rows]

    drawn = batches(len(problem.x_train), request.batch_size, seed=request.seed)
    return _ahead(make, islice(enumerate(drawn), request.iterations))


def _augmented(request: RunRequest, problem: Problem, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    augment = AUGMENTATIONS[request.augmentation]
    if augment is None:
        return problem.x_train[rows]
    if isinstance(problem.x_train, StreamedImages):
        return problem.x_train.crop_flip(rows, rng)
    images = problem.x_train[rows].reshape(-1, *tasks.get(request.task).source_info.shape)
    x = unit_inputs(augment(images, rng)) * problem.input_norm
    return x.reshape(-1, *problem.network.input_shape)


def _ahead(make: Callable[[int, np.ndarray], Part], wanted: Iterator[tuple[int, np.ndarray]]) -> Iterator[Part]:
    """What is made of everything that is wanted, in its order, some of it before it is asked for."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(make, *each) for each in islice(wanted, AHEAD))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(make, *each) for each in islice(wanted, 1))
            yield made
