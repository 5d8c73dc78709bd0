"""Threads of a fit: one where there is little to share out, for threads that wait for each other cost more."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from normbench.machine import variable

WORTH_SHARING = 10**8  # multiplications of a sample's forward pass, times samples


@contextmanager
def few_threads(samples: int, weights: int) -> Iterator[None]:
    """One thread for the libraries that are loaded by now, where samples times weights are few.

    What the user's ``OMP_NUM_THREADS`` says stands.

    Parameters
    ----------
    samples : int
        Rows that an iteration sees.
    weights : int
        Entries of all matrices.
    """
    if variable("OMP_NUM_THREADS") or samples * weights >= WORTH_SHARING:
        yield
        return
    with threadpool_limits(limits=1):
        yield
